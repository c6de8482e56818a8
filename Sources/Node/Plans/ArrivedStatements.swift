import Alliance
import TransparencyLog

/// What other members said of a plan's keys since it was made: in a register that is joined across members that changes what the
/// plan's statements do.
struct ArrivedStatements {
    let client: NodeClient

    /// Statements that are named.
    private static let shown = 5

    private struct Subject: Hashable {
        let register: [UInt8]
        let key: [UInt8]

        init(_ register: String, _ key: String) {
            self.register = Array(register.utf8)
            self.key = Array(key.utf8)
        }
    }

    /// Refuses a plan under which something changed.
    func check(_ plan: Plan) async throws {
        guard let known = plan.known else { return }
        let subjects = Self.subjects(of: plan)
        guard !subjects.isEmpty else { return }
        var arrived: [String] = []
        for size in known.sizes { arrived += try await self.arrived(since: size, subjects) }
        guard let first = arrived.first else { return }
        let more = arrived.dropFirst().prefix(Self.shown - 1).map { "; \($0)" }.joined()
        let rest = arrived.count > Self.shown ? "; and \(arrived.count - Self.shown) more" : ""
        throw SetupError(
            .mismatch, "plan",
            "since it was made, other members said more of what it is about: \(first)\(more)\(rest). Look at it (entente why, entente "
                + "conflicts) and make the plan anew, or publish it with --anyway")
    }

    /// What the plan's statements are about, read from the bytes that were signed.
    private static func subjects(of plan: Plan) -> Set<Subject> {
        var found: Set<Subject> = []
        for entry in plan.entries {
            guard let statement = try? Statement(parsing: entry) else { continue }
            switch statement.body {
            case .attestation(let row): found.insert(Subject(row.register, row.key))
            case .endorsement(let endorsement): found.insert(Subject(endorsement.register, endorsement.key))
            case .retraction(let retraction):
                for target in retraction.targets { found.insert(Subject(target.register, target.key)) }
            default: break
            }
        }
        return found
    }

    private func arrived(since size: KnownSizes.Size, _ subjects: Set<Subject>) async throws -> [String] {
        var found: [String] = []
        var index = size.entries
        while true {
            guard index < size.entries + PlanSubmission.lookedAt else {
                throw PlanSubmission.tooMuch("\(size.member)'s log")
            }
            let page = try await client.get(
                "/v1/entries", [("member", size.member), ("from", String(index)), ("limit", "1000")])
            let entries = page["entries"]?.array ?? []
            if entries.isEmpty { return found }
            for entry in entries where entry["counts"]?.bool == true {
                let isAbout = (entry["about"]?.array ?? []).contains { one in
                    subjects.contains(Subject(one["register"]?.string ?? "", one["key"]?.string ?? ""))
                }
                guard isAbout else { continue }
                found.append(
                    "entry \(entry["index"]?.integer ?? 0) of \(size.member), \(entry["kind"]?.string ?? "") "
                        + "\(entry["summary"]?.string ?? "")")
            }
            index += UInt64(entries.count)
        }
    }
}
