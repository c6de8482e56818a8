import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct TLSRequestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request", abstract: "Ask for a certificate, at the node: write a request for its key.",
        discussion: """
            The request (PKCS #10) has the node's public key and the names of its certificate, and is signed by the private \
            key, which stays here. Carry the .csr to where the authority's key is: entente tls issue.

            With --new-key NAME the node gets another key: NAME.key is made beside the present one, with the same passphrase. \
            Enter NAME.pub into the roster (entente node add), and once the certificate is here put both in place.

            Examples:
              entente tls request --data /var/lib/entente
              entente tls request --new-key node1-b --out node1-b.csr
            """)

    @Option(help: ArgumentHelp("Make a key of this name for the request.", valueName: "name"))
    var newKey: String?
    @Option(help: ArgumentHelp("Where the request goes. Default: NODE.csr here, or NAME.csr.", valueName: "file"))
    var out: String?
    @Option(
        help: ArgumentHelp(
            "Where the passphrase of the node's keys comes from: env:NAME, fd:N, file:PATH or prompt. "
                + "Default: as the node's configuration says.", valueName: "source"))
    var passphrase: String?
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let settings = try node.load(passphrase.map { [.passphraseSource: [$0]] } ?? [:]).settings
        let place = out ?? "\(newKey ?? settings.node).csr"
        if PlainFile.exists(place) {
            throw Failure("\(place): there is such a file already; it was left as it is; name another with --out")
        }
        let (request, key) = try CertificateRequesting.request(settings, newKey: newKey) {
            try settings.passphraseSource.read(prompt: "Passphrase of \(settings.member)'s node")
        }
        try PlainFile.write(Array(request.pem.utf8), to: place)
        let digest = HashValue(request.keyDigest)?.hex ?? ""
        if output.json {
            Console.print([
                "file": .string(place), "member": .string(request.uris.joined(separator: ", ")), "key": .string(digest),
                "keyFile": .string(key),
            ])
            return
        }
        var lines = [
            "Wrote \(place), a request for \(request.uris.joined(separator: ", ")).", "  key  \(digest), in \(key)",
        ]
        if let newKey {
            let name = "\(settings.keysFolder)/\(newKey)"
            lines += [
                "Enter the key first: entente node add \(settings.node) --key \(name).pub --plan \(newKey).plan",
                "Once the certificate is here: mv \(name).key \(settings.nodeKeyPath), and move it to "
                    + settings.certificatePath,
            ]
        }
        Console.print(lines + ["Next, where the authority's key is: entente tls issue \(place) --out node.pem"])
    }
}

struct TLSIssueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "issue", abstract: "Issue a certificate for a node's request, with the authority's key.",
        discussion: """
            Takes the public key from the request, and nothing else: what the certificate says follows from the member, as \
            its public file beside the keys (or a charter) has it. A request that is not signed by the key in it, is for \
            another member, or has another kind of key is refused. OpenSSL's are as good:
              openssl req -new -key node.key -subj /CN=node1 -addext subjectAltName=URI:did:web:pk.alliance.example

            Examples:
              entente tls issue node1.csr --out node.pem --keys /media/safe
              entente tls issue node2.csr --out node2.pem --node node2 --days 30 --keys /media/safe
            """)

    @Argument(help: ArgumentHelp("The request.", valueName: "csr"))
    var request: String
    @Option(help: ArgumentHelp("Where the certificate goes.", valueName: "file"))
    var out: String
    @Option(help: ArgumentHelp("Which node it is for.", valueName: "name"))
    var node: String = "node1"
    @Option(
        help: ArgumentHelp(
            "Where browsers and curl reach the node; may be repeated. Default: the member's addresses.",
            valueName: "https://host:port"))
    var address: [String] = []
    @Option(help: ArgumentHelp("A charter that lists the member. Default: NAME.member of the keys.", valueName: "file"))
    var charter: String?
    @Option(help: ArgumentHelp("Days that it is valid, 1 to 90.", valueName: "days"))
    var days: Int = 90
    @OptionGroup var keys: KeyOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        if PlainFile.exists(out) {
            throw Failure("\(out): there is such a file already; it was left as it is; name another with --out")
        }
        let issue = try CertificateIssue(
            request: request, node: node, addresses: address, charter: charter, keys: keys.folder, days: days,
            now: MemberClock.now)
        // Before the key is unlocked: whoever enters the passphrase knows what for.
        if !output.json { Console.print(Self.words(issue)) }
        let certificate = try issue.issue(try keys.unlock("the authority"))
        try PlainFile.write(Array(certificate.pem.utf8), to: out)
        if output.json {
            var object = CertificateText.object(certificate, place: out)
            object["node"] = .string(issue.node)
            object["hosts"] = .array(issue.hosts.map { .string($0) })
            object["notTaken"] = .array(issue.refused.map { .string($0) })
            Console.print(.object(object))
        } else {
            Console.print(["Wrote \(out). Next, at the node: move it to tls/node.pem in the node's folder."])
        }
    }

    private static func words(_ issue: CertificateIssue) -> [String] {
        var lines = [
            "This is signed: the key is a node's of \(issue.member), for TLS as client and server, and no authority.",
            "  node   \(issue.node)\(issue.hosts.isEmpty ? "" : ", also as \(issue.hosts.joined(separator: ", "))")",
            "  until  \(MemberClock(zone: nil).text(issue.ends))", "  key    \(issue.key.hex)",
        ]
        if !issue.refused.isEmpty {
            lines.append("  not taken from the request: \(issue.refused.joined(separator: ", "))")
        }
        return lines
    }
}

struct TLSRenewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "renew", abstract: "Issue the node's certificate anew, with the authority's key.",
        discussion: """
            The new certificate has the key and the names of the old one, so no roster has to change. A node that runs \
            takes it up within seconds, or at once on SIGHUP, without a restart; open connections go on.

            Where the authority's key is on another machine, take the node's tls/node.pem there, and bring the new file \
            back to its place.

            A node that gets another key needs a certificate for it: --key names its .pub file. Enter the key into the \
            roster first (entente node add), so that the others let it connect.

            Examples:
              entente tls renew --data /var/lib/entente --keys /media/safe/keys
              entente tls renew --certificate node.pem --out new.pem --keys /media/safe/keys
              entente tls renew --key node1-b.pub --out new.pem --keys /media/safe/keys
            """)

    @Option(help: ArgumentHelp("The certificate to renew. Default: that of the node's folder.", valueName: "file"))
    var certificate: String?
    @Option(help: ArgumentHelp("Where the new one goes. Default: the old one's place.", valueName: "file"))
    var out: String?
    @Option(help: ArgumentHelp("Another key for the node. Default: the one that it has.", valueName: "name.pub"))
    var key: String?
    @Option(help: ArgumentHelp("Days that it is valid, 1 to 90.", valueName: "days"))
    var days: Int = 90
    @OptionGroup var keys: KeyOptions
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let place = try certificate ?? node.load().settings.certificatePath
        let old = try CertificateRenewal.read(place)
        let new = try CertificateRenewal.renew(
            old, newKey: key, keys: keys.folder, passphrase: try keys.unlock("the authority"), days: days,
            now: MemberClock.now)
        try PlainFile.write(Array(new.pem.utf8), to: out ?? place, overwrite: out == nil)
        CertificateText.report(new, place: out ?? place, json: output.json)
    }
}
