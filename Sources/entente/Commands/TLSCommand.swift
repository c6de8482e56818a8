import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct TLSCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tls", abstract: "Look at the node's certificate, ask for one, issue one, renew it.",
        discussion: """
            Without a subcommand, entente tls says how the node's certificate is.

            Where the authority's key is at hand, entente tls renew is enough. Where it is on another machine, only public \
            files travel:
              entente tls request --data /var/lib/entente        at the node; makes node1.csr
              entente tls issue node1.csr --out node.pem         where the authority's key is
              mv node.pem /var/lib/entente/tls/node.pem          at the node, which takes it up by itself
            """,
        subcommands: [TLSStatusCommand.self, TLSRequestCommand.self, TLSIssueCommand.self, TLSRenewCommand.self],
        defaultSubcommand: TLSStatusCommand.self)
}

struct TLSStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Say whose a certificate is, until when, and whether peers take its key.",
        discussion: """
            Without a file, the one in the node's folder. The key is the SHA-256 that rosters list and revoke; whether the \
            roster in force lists it is known where a node runs. The exit status is 0 where all is well, 1 where something \
            needs attention, 2 where it is critical.

            Examples:
              entente tls
              entente tls status new.pem --json
            """)

    @Argument(help: "A certificate in PEM.")
    var file: String?
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (place, certificate, authority) = try read()
        let roster = await RosterAnswer(node)
        let now = MemberClock.now
        var health = NodeHealth()
        let ends = min(certificate.notAfter, authority?.notAfter ?? .max)
        health.judge(CertificateTerm(begins: certificate.notBefore, ends: ends), now: now)
        let key = HashValue(certificate.keyDigest) ?? .zero
        let standing = roster.roster.map { KeyStanding(key, in: $0) }
        if let standing { health.judge(standing) }
        if file == nil, let used = roster.certificate {
            // A node needs some seconds to take up what was issued just now.
            let isFresh = now < certificate.notBefore + MemberCA.backdating + 30
            health.judge(inUse: isFresh || used.text("key") == key.hex && used.time("ends") == ends)
        }
        if output.json {
            show(CertificateText.object(certificate, place: place), ends, now, roster, standing, health)
        } else {
            Console.print(
                CertificateText.lines(certificate, daysLeft: Self.days(ends, now))
                    + ["  roster  \(Self.words(standing, roster))"]
                    + health.concerns.map { "\($0.level.word.uppercased()): \($0.text)" })
        }
        if health.level != .ok { throw Ending(status: Int32(health.level.rawValue)) }
    }

    /// The certificate, and of the node's own the authority beside it. Synchronous: decision 0013.
    private func read() throws -> (place: String, certificate: PeerCertificate, authority: PeerCertificate?) {
        if let file { return (file, try CertificateRenewal.read(file), nil) }
        let settings = try node.load().settings
        return (
            settings.certificatePath, try CertificateRenewal.read(settings.certificatePath),
            try CertificateRenewal.read(settings.authorityPath)
        )
    }

    private func show(
        _ certificate: JSONObject, _ ends: Int64, _ now: Int64, _ roster: RosterAnswer, _ standing: KeyStanding?,
        _ health: NodeHealth
    ) {
        var object = certificate
        object["daysLeft"] = .integer(Self.days(ends, now))
        var about: JSONObject = ["standing": standing.map { .string($0.word) } ?? .null]
        if case .listed(let name)? = standing { about["node"] = .string(name) }
        about["ordinal"] = roster.roster.map { .integer(Int64($0.ordinal)) } ?? .null
        about["problem"] = roster.problem.map { .string($0) } ?? .null
        object["roster"] = .object(about)
        object["state"] = .string(health.level.word)
        object["concerns"] = health.json
        Console.print(.object(object))
    }

    /// Whole days until an end; below 0 after it.
    private static func days(_ ends: Int64, _ now: Int64) -> Int64 {
        let left = ends - now
        return left < 0 ? (left - 86_399) / 86_400 : left / 86_400
    }

    private static func words(_ standing: KeyStanding?, _ roster: RosterAnswer) -> String {
        switch standing {
        case .listed(let node)?: "lists the key for \(node)"
        case .revoked?: "revokes the key"
        case .notListed?: "does not list the key"
        case nil: "unknown: \(roster.problem ?? "no roster is published yet")"
        }
    }
}

/// The roster in force and the certificate in use, as a running node tells them; or why they are not known.
struct RosterAnswer {
    var roster: Roster?
    /// As in `entente status`.
    var certificate: JSONValue?
    var problem: String?

    init(_ options: NodeOptions) async {
        do {
            self = try await NodeConnection.with(options) { node in
                var answer = RosterAnswer()
                answer.certificate = try await node.get("/v1/status")["certificate"]
                answer.roster = try await PlanMaker(node, register: nil).context.roots?.roster?.roster
                return answer
            }
        } catch {
            problem = Failure.text(of: error)
        }
    }

    private init() {}
}

enum CertificateText {
    /// What programs are told of a certificate.
    static func object(_ certificate: PeerCertificate, place: String?) -> JSONObject {
        [
            "file": place.map { .string($0) } ?? .null,
            "member": (certificate.uris ?? []).first.map { .string($0) } ?? .null,
            "begins": .string(Timestamp(seconds: certificate.notBefore).text),
            "ends": .string(Timestamp(seconds: certificate.notAfter).text), "key": .string(key(certificate)),
        ]
    }

    static func lines(_ certificate: PeerCertificate, daysLeft: Int64? = nil) -> [String] {
        let names = certificate.uris ?? []
        let clock = MemberClock(zone: nil)
        let left = daysLeft.map { $0 < 0 ? ", which is over" : ", \(count(Int($0), "day")) left" } ?? ""
        return [
            "  member  \(names.isEmpty ? "none" : names.joined(separator: ", "))",
            "  valid   \(clock.text(certificate.notBefore)) to \(clock.text(certificate.notAfter))\(left)",
            "  key     \(key(certificate))",
        ]
    }

    /// After a certificate was written.
    static func report(_ certificate: PeerCertificate, place: String, json: Bool) {
        if json {
            Console.print(.object(object(certificate, place: place)))
        } else {
            Console.print(["Wrote \(place)."] + lines(certificate))
        }
    }

    private static func key(_ certificate: PeerCertificate) -> String { HashValue(certificate.keyDigest)?.hex ?? "" }
}
