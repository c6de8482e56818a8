import Alliance
import ArgumentParser
import Node

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Verify a proof file with the charter; no node and no network.",
        discussion: """
            Status 0: the proof is good; 1: it is bad; 2: cannot tell (too old, charter expired); 3: good, but not what \
            --expect or the question asked for; 64: the command line is wrong.

            --expect takes a status of the register, or business, present, none-in-force, retracted, no-longer-stated, \
            not-stated, or absent, which is any of the last four.

            Several files are verified one by one, and the worst of them is the status: bad, cannot tell, not expected, \
            good. With --every-member they have to be of one question, and of every member of the charter.

            Examples:
              entente verify reply.entente-proof --charter alliance.charter --expect authorised
              entente verify reply.entente-proof --charter alliance.charter --register vasp-licences --key PK-0117 --all
              entente verify example-com/*.entente-proof --every-member --charter alliance.charter --expect absent
            """)

    @Argument(help: ArgumentHelp("The proofs' files.", valueName: "file"))
    var files: [String]
    @Flag(help: "The proofs must be of every member that was not removed.")
    var everyMember = false
    @OptionGroup var trusted: TrustedCharterOptions
    @Option(help: ArgumentHelp("The answer that you expect.", valueName: "answer"))
    var expect: String?
    @Option(help: ArgumentHelp("Check it as a statement about this date.", valueName: "date"))
    var on: String?
    @Option(help: ArgumentHelp("How old a proof about now may be, such as 24h, 90m or 7d.", valueName: "age"))
    var maxAge: String = "24h"
    @Option(help: ArgumentHelp("The member that you asked about.", valueName: "name"))
    var member: String?
    @Option(help: ArgumentHelp("The register that you asked about.", valueName: "register"))
    var register: String?
    @Option(help: ArgumentHelp("The key that you asked about.", valueName: "key"))
    var key: String?
    @Option(
        help: ArgumentHelp(
            "A fork proof that you have; if it is of this log, what holds now cannot be told. May be repeated.",
            valueName: "file"))
    var fork: [String] = []
    @Flag(help: "List every check, also those that passed.")
    var all = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard Self.seconds(maxAge) != nil else {
            throw ValidationError("--max-age \(maxAge): must be a number and s, m, h or d, such as 24h")
        }
        if let expect {
            do throws(AllianceError) { _ = try ProofExpectation(parsing: expect) } catch {
                throw ValidationError("--expect \(expect): \(error.reason)")
            }
        }
    }

    func run() async throws {
        let charters = try CharterFiles.chain(trusted.charter, pinned: trusted.pinned)
        guard everyMember || files.count > 1 else {
            let report = try verify(files[0], charters)
            if output.json {
                Console.print(report.json)
            } else {
                Console.print(report.text(allChecks: all).trimming())
            }
            throw Ending(status: report.conclusion.exitStatus)
        }
        let reports = try files.map { (file: $0, report: try verify($0, charters)) }
        let several = SeveralReports(reports, members: everyMember ? charters.current.charter.members : [])
        if output.json {
            Console.print(several.json)
        } else {
            Console.print(several.lines(allChecks: all))
        }
        throw Ending(status: several.status)
    }

    private func verify(_ file: String, _ charters: CharterChain) throws -> VerificationReport {
        let bytes = try PlainFile.read(file, limit: ProofFile.byteLimit)
        let proof: ProofFile
        do throws(AllianceError) {
            proof = try ProofFile(parsing: bytes)
        } catch {
            throw Failure("\(file): no proof that can be read: \(error)")
        }
        let zone = charters.current.charter.member(id: proof.question.member)?.zone
        let on: Timestamp?
        do {
            on = try self.on.map { try MemberClock(zone: zone).parse($0, option: "--on") }
        } catch {
            Console.complain(Failure.text(of: error))
            throw Ending(status: 64)
        }
        var options = VerificationOptions(
            on: on, expectation: try expect.map { try ProofExpectation(parsing: $0) },
            asked: .init(member: member, map: register == "documents" ? "@documents" : register, key: key),
            maximumAge: Self.seconds(maxAge) ?? 86_400)
        options.forks = try fork.map { try Self.fork($0, charters) }
        return Verifier().verify(proof, charters: charters, at: Timestamp(seconds: MemberClock.now), options: options)
    }

    /// A proof that does not hold is refused: it must not seem to have made no difference.
    private static func fork(_ file: String, _ charters: CharterChain) throws -> ForkProof {
        do throws(AllianceError) {
            let proof = try ForkProof(parsing: try read(file))
            let owner = charters.versions.reversed().lazy.compactMap { $0.charter.member(origin: proof.origin) }.first
            guard let owner else {
                throw AllianceError(.unknown, "no member of the charter has the log \(proof.origin)")
            }
            try proof.verify(by: owner.log)
            return proof
        } catch {
            throw Failure("--fork \(file): no fork proof that holds: \(error)")
        }
    }

    private static func read(_ file: String) throws(AllianceError) -> [UInt8] {
        do { return try PlainFile.read(file, limit: ForkProof.byteLimit) } catch {
            throw AllianceError(.malformed, "\(Failure.text(of: error))")
        }
    }

    private static func seconds(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let last = text.last, let unit = units[last], let number = Int64(text.dropLast()), number >= 0,
            number <= 1_000_000
        else { return nil }
        return number * unit
    }
}

/// Several proofs, each judged by itself, and what follows from all of them.
struct SeveralReports {
    private let reports: [(file: String, report: VerificationReport)]
    /// Members of whom no good proof of the question is there.
    private let missing: [CharterMember]
    /// A proof of another question than the first one's.
    private let other: String?

    /// - Parameter members: those of the charter, where a proof of each is due; else none.
    init(_ reports: [(file: String, report: VerificationReport)], members: [CharterMember]) {
        self.reports = reports
        let first = reports[0].report.question
        func isSame(_ question: ProofQuestion) -> Bool {
            question.map.utf8.elementsEqual(first.map.utf8) && question.key.utf8.elementsEqual(first.key.utf8)
        }
        other = members.isEmpty ? nil : reports.first { !isSame($0.report.question) }?.file
        missing = members.filter { member in
            member.standing != .removed
                && !reports.contains {
                    $0.report.question.member.utf8.elementsEqual(member.id.utf8) && isSame($0.report.question)
                }
        }
    }

    /// The worst of all: bad 1, cannot tell (also for want of a member's proof) 2, not expected 3, good 0.
    var status: Int32 {
        let statuses = reports.map(\.report.conclusion.exitStatus)
        if statuses.contains(1) { return 1 }
        if statuses.contains(2) || !missing.isEmpty { return 2 }
        return statuses.contains(3) || other != nil ? 3 : 0
    }

    func lines(allChecks: Bool) -> [String] {
        var lines: [String] = []
        for (file, report) in reports {
            if allChecks || report.conclusion != .good {
                lines += ["\(file):", report.text(allChecks: allChecks).trimming()]
            } else {
                lines.append("\(file): \(report.headline)")
            }
        }
        if let other { lines.append("ANOTHER QUESTION: \(other) is not about what the first proof is about.") }
        if !missing.isEmpty {
            lines.append("CANNOT TELL: there is no proof of \(missing.map(\.title).joined(separator: ", ")).")
        }
        let word = [0: "good", 1: "bad", 2: "cannot be told", 3: "not as expected"][status] ?? ""
        return lines + ["\(count(reports.count, "proof")), together: \(word) (status \(status))."]
    }

    var json: JSONValue {
        [
            "exitStatus": .integer(Int64(status)),
            "reports": .array(
                reports.map { one in
                    var object = one.report.json.object ?? [:]
                    object["file"] = .string(one.file)
                    return .object(object)
                }),
            "missing": .array(missing.map { .string($0.name) }), "otherQuestion": other.map { .string($0) } ?? .null,
        ]
    }
}
