import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct CertificateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certificate", abstract: "Look at and renew the node's certificate.",
        subcommands: [CertificateShowCommand.self, CertificateRenewCommand.self])
}

struct CertificateShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a certificate: whose it is, until when, and its key.",
        discussion: """
            Without a file, the one in the node's folder. The key is the SHA-256 that rosters list and revoke.

            Examples:
              entente certificate show
              entente certificate show new.pem
            """)

    @Argument(help: "A certificate in PEM.")
    var file: String?
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let certificate = try CertificateRenewal.read(file ?? node.load().settings.certificatePath)
        CertificateText.report(certificate, place: nil, json: output.json)
    }
}

struct CertificateRenewCommand: ParsableCommand {
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
              entente certificate renew --data /var/lib/entente --keys /media/safe/keys
              entente certificate renew --certificate node.pem --out new.pem --keys /media/safe/keys
              entente certificate renew --key node1-b.pub --out new.pem --keys /media/safe/keys
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

enum CertificateText {
    static func report(_ certificate: PeerCertificate, place: String?, json: Bool) {
        let names = certificate.uris ?? []
        let key = HashValue(certificate.keyDigest)?.hex ?? ""
        if json {
            Console.print([
                "file": place.map { .string($0) } ?? .null, "member": names.first.map { .string($0) } ?? .null,
                "begins": .string(Timestamp(seconds: certificate.notBefore).text),
                "ends": .string(Timestamp(seconds: certificate.notAfter).text), "key": .string(key),
            ])
            return
        }
        let clock = MemberClock(zone: nil)
        Console.print(
            (place.map { ["Wrote \($0)."] } ?? []) + [
                "  member  \(names.isEmpty ? "none" : names.joined(separator: ", "))",
                "  valid   \(clock.text(certificate.notBefore)) to \(clock.text(certificate.notAfter))",
                "  key     \(key)",
            ])
    }
}
