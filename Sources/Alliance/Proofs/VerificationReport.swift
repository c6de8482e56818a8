import TransparencyLog

/// What the verification of a proof file found: the question, the answer, every check, and one conclusion.
public struct VerificationReport: Sendable {
    /// What a check found.
    public enum Result: String, Hashable, Sendable {
        case passed
        case failed
        case cannotTell = "cannot-tell"
    }

    /// One check.
    public struct Check: Hashable, Sendable {
        /// Which.
        public let name: CheckName
        /// What it found.
        public let result: Result
        /// One plain sentence.
        public let text: String
    }

    /// The checks, in the order in which they are made.
    public enum CheckName: String, Hashable, Sendable, CaseIterable {
        /// The proof is of the alliance whose charter the verifier holds.
        case alliance
        /// The log is under the charter that the verifier holds, or one that it can follow.
        case charter
        /// The member is an active member.
        case member
        /// The member's log key signed the checkpoint.
        case log
        /// The state leaf is the last entry of the checkpoint's tree.
        case state
        /// Enough other members hold and checked it.
        case quorum
        /// The charter has not expired.
        case expiry
        /// The newest quorum is new enough for the question.
        case freshness
        /// Of a log that the caller can prove to be forked: a quorum held the checkpoint, and the question is not about now.
        case fork
        /// The register's definition is the one that the charter lists, or the member's own.
        case definition
        /// The key is in canonical form.
        case key
        /// The register's map says exactly this.
        case row
        /// The rosters in force are signed by the member's root keys.
        case rosters
        /// The statements are signed by officers who may.
        case statements
        /// Second officers approved where that is asked for.
        case approvals
        /// The first quorum's checkpoint is genuine.
        case first
    }

    /// What follows from the checks.
    public enum Conclusion: String, Hashable, Sendable {
        case good, bad
        case cannotTell = "cannot-tell"
        case notExpected = "not-expected"

        /// The exit status of `entente verify`.
        public var exitStatus: Int32 {
            switch self {
            case .good: 0
            case .bad: 1
            case .cannotTell: 2
            case .notExpected: 3
            }
        }
    }

    /// A member that holds and checked the log, and when it said so last.
    public struct Holder: Hashable, Sendable {
        /// The member's id.
        public let member: String
        /// Its name for people.
        public let title: String
        /// Seconds since 1970; nil where the time is too far ahead of the verifier's clock.
        public let time: Int64?
    }

    /// What follows.
    public let conclusion: Conclusion
    /// What the proof answers, by its own word; the checks say whether it does.
    public let question: ProofQuestion
    /// The instant that the answer is for, in seconds since 1970.
    public let time: Int64
    /// Whether that is the time of verification.
    public let isAboutNow: Bool
    /// Every check that was made, in order; what does not apply is left out.
    public let checks: [Check]
    /// What the register says; nil where the proof is bad, or the answer cannot be read.
    public let answer: ProofAnswer?
    /// How entries of the answer break the register's definition, each as a clause. They count as they stand: no check
    /// fails for it.
    public let problems: [String]
    /// The names of the officers' keys that signed what the answer rests on, in the order of ``ProofAnswer``.
    public let signedBy: [String]
    /// By then a quorum held what the answer rests on; seconds since 1970.
    public let publishedBy: Int64?
    /// At that time a quorum still held the log in this state, and knew no fork; seconds since 1970.
    public let stillSo: Int64?
    /// The other members that hold and checked it.
    public let holders: [Holder]
    /// How many are needed.
    public let needed: Int
    /// The charter by which it was judged.
    public let charterVersion: Int
    /// The fingerprint of that charter.
    public let fingerprint: String
    /// The member's name for people; its id where the charter does not know it.
    public let memberTitle: String
    /// How the proof's question differs from the one asked; nil where it does not.
    public let otherQuestion: String?
    /// What was expected.
    public let expectation: ProofExpectation?
    /// The time of verification, in seconds since 1970.
    public let now: Int64
    let human: HumanTime

    /// How many checks passed.
    public var passed: Int { checks.count { $0.result == .passed } }
}

// MARK: - For people

extension VerificationReport {
    /// The report for people.
    ///
    /// - Parameter allChecks: whether those that passed are listed too.
    public func text(allChecks: Bool = false) -> String {
        var lines = [headline, row("asked", asked)]
        if let answer { lines.append(row("answer", answer.words(human))) }
        for problem in problems { lines.append(row("not valid", problem)) }
        if !signedBy.isEmpty { lines.append(row("signed", "\(signedBy.joined(separator: ", ")) (key in force then)")) }
        if let publishedBy { lines.append(row("published", "no later than \(HumanTime.utc.text(publishedBy))")) }
        if let stillSo {
            lines.append(row("still so", "\(HumanTime.utc.text(stillSo)), \(HumanTime.age(now - stillSo))"))
        }
        let titles = holders.isEmpty ? "nobody" : holders.map(\.title).joined(separator: ", ")
        lines.append(row("held by", "\(titles) (\(needed) needed)"))
        lines.append(row("charter", "version \(charterVersion), fingerprint \(fingerprint) (yours)"))
        lines.append(row("checks", "\(passed) of \(checks.count) passed"))
        for check in checks where allChecks || check.result != .passed {
            let mark: String =
                switch check.result {
                case .passed: "passed"
                case .failed: "FAILED"
                case .cannotTell: "cannot tell"
                }
            lines.append("    \(mark), \(check.name.rawValue): \(check.text)")
        }
        lines.append(lastLine)
        return lines.joined(separator: "\n") + "\n"
    }

    private func row(_ label: String, _ text: String) -> String {
        "  \(label)\(String(repeating: " ", count: max(1, 11 - label.utf8.count)))\(text)"
    }

    private var asked: String {
        let what = "\(question.map) of \(memberTitle), \(question.key)"
        return isAboutNow ? "\(what), now" : "\(what), on \(human.text(time))"
    }

    /// The one sentence.
    public var headline: String {
        switch conclusion {
        case .bad:
            let first = checks.first { $0.result == .failed }?.text ?? "a check failed."
            return "BAD PROOF. Do not rely on it: \(first)"
        case .cannotTell:
            let first = checks.first { $0.result == .cannotTell }?.text ?? "the answer cannot be read."
            return "CANNOT TELL: \(first)"
        case .notExpected:
            if let otherQuestion { return "ANOTHER QUESTION. \(otherQuestion)" }
            return "NO. \(sentence(negated: true))"
        case .good: return expectation == nil ? sentence(negated: false) : "YES. \(sentence(negated: false))"
        }
    }

    /// The answer as a sentence; negated, that it is not what was expected.
    private func sentence(negated: Bool) -> String {
        if negated, case .present(let entries)? = answer {
            switch expectation {
            case .status(let status): return "\(names(entries)) \(isOrAre(entries)) not \(status) in \(memberTitle)."
            case .business:
                return "\(names(entries)) may not do business in \(memberTitle) on the strength of this: "
                    + "\(entries.map(\.status).joined(separator: ", "))."
            default: break
            }
        }
        switch answer {
        case .present(let entries):
            let states = entries.map(\.status).joined(separator: ", ")
            return "\(names(entries)) \(isOrAre(entries)) \(states) in \(memberTitle)."
        case .presentNoneInForce: return "\(memberTitle) has entries for \(question.key), but none in force then."
        case .documents(let documents):
            let count = documents.count == 1 ? "one version" : "\(documents.count) versions"
            return "\(memberTitle) published \(question.key), \(count)."
        case .retracted: return "\(memberTitle) took back what it had stated of \(question.key)."
        case .noLongerStated: return "\(memberTitle) no longer states \(question.key) in \(question.map)."
        case .notStated: return "\(memberTitle) never stated \(question.key) in \(question.map)."
        case nil: return "The answer cannot be read."
        }
    }

    private func names(_ entries: [ProofAnswer.Entry]) -> String { entries.map(\.name).joined(separator: ", ") }
    private func isOrAre(_ entries: [ProofAnswer.Entry]) -> String { entries.count == 1 ? "is" : "are" }

    private var lastLine: String {
        let status = "(status \(conclusion.exitStatus))"
        return switch conclusion {
        case .good: "Good proof \(status)."
        case .bad: "Bad proof \(status)."
        case .cannotTell: "No check failed, but this cannot be told \(status)."
        case .notExpected where otherQuestion != nil: "Good proof, of another question \(status)."
        case .notExpected: "Good proof, not the answer expected \(status)."
        }
    }
}

// MARK: - For programs

extension VerificationReport {
    /// The report for programs. Times are RFC 3339 in UTC.
    public var json: JSONValue {
        var object: JSONObject = [
            "conclusion": .string(conclusion.rawValue), "exitStatus": .integer(Int64(conclusion.exitStatus)),
            "sentence": .string(headline), "question": question.json, "aboutNow": .bool(isAboutNow),
            "time": Self.time(time),
        ]
        object["answer"] = answer.map { $0.json }
        object["problems"] = .array(problems.map { .string($0) })
        object["expected"] = expectation.map { .string($0.name) }
        object["otherQuestion"] = otherQuestion.map { .string($0) }
        object["signedBy"] = .array(signedBy.map { .string($0) })
        object["publishedNoLaterThan"] = publishedBy.map(Self.time)
        object["stillSo"] = stillSo.map(Self.time)
        object["heldBy"] = .array(
            holders.map { ["member": .string($0.member), "time": $0.time.map(Self.time) ?? .null] })
        object["needed"] = .integer(Int64(needed))
        object["charter"] = ["version": .integer(Int64(charterVersion)), "fingerprint": .string(fingerprint)]
        object["checks"] = .array(
            checks.map {
                [
                    "name": .string($0.name.rawValue), "result": .string($0.result.rawValue),
                    "text": .string($0.text),
                ]
            })
        object["verifiedAt"] = Self.time(now)
        return .object(object)
    }

    private static func time(_ seconds: Int64) -> JSONValue {
        HumanTime.writable(seconds).map { .string(Timestamp(seconds: $0).text) } ?? .null
    }
}

extension ProofAnswer {
    /// The answer for programs.
    public var json: JSONValue {
        var object: JSONObject = ["kind": .string(name)]
        switch self {
        case .present(let entries): object["entries"] = .array(entries.map(\.json))
        case .presentNoneInForce(let begins): object["begins"] = begins.map { .string($0.text) }
        case .documents(let documents):
            object["documents"] = .array(
                documents.map {
                    [
                        "work": .string($0.work), "language": .string($0.language), "date": .string($0.date),
                        "title": .string($0.title), "mediaType": .string($0.mediaType), "size": .integer($0.size),
                        "sha256": .string($0.digest.base64url),
                    ]
                })
        case .retracted(let reason, let note):
            object["reason"] = .string(reason.rawValue)
            object["note"] = note.map { .string($0) }
        case .noLongerStated, .notStated: break
        }
        return .object(object)
    }
}

extension ProofAnswer.Entry {
    fileprivate var json: JSONValue {
        let attestation = placed.attestation
        var object: JSONObject = [
            "key": .string(key), "name": .string(name), "status": .string(status),
            "permitsBusiness": permitsBusiness.map { .bool($0) } ?? .null,
            "validFrom": .string(attestation.validFrom.text),
        ]
        object["validUntil"] = attestation.validUntil.map { .string($0.text) }
        object["fields"] = .object(attestation.fields)
        object["index"] = .integer(Int64(clamping: placed.index))
        object["identity"] = .string(placed.identity.base64url)
        object["signedBy"] = .string(placed.signedBy)
        if !conflict.isEmpty {
            object["conflict"] = .array(
                conflict.map {
                    ["status": .string($0.attestation.status), "identity": .string($0.identity.base64url)]
                })
        }
        if let next {
            object["next"] = [
                "status": .string(next.attestation.status), "validFrom": .string(next.attestation.validFrom.text),
            ]
        }
        return .object(object)
    }
}
