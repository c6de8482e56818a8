import Alliance
import HTTPTypes
import Replication
import Store
import TransparencyLog

// Forked logs: the proofs, where counting ends, and what was set aside.

extension LocalRoutes {
    /// The proofs, and for each forked log what counts of it here.
    func forks() async throws -> JSONValue {
        let proofs = try await store.forks()
        let statuses = await driver.logStatuses
        var ends: [JSONValue] = []
        for proof in proofs {
            let record = try await store.log(proof.origin)
            let branches = try await store.setAside(of: proof.origin)
            let known = statuses.first { $0.origin == proof.origin }?.end
            ends.append([
                "origin": .string(proof.origin), "size": .integer(Int64(record.size)),
                "root": .string(record.frontier.root.base64), "known": known.map { .integer(Int64($0)) } ?? .null,
                "setAside": .array(branches.map(Self.branch)),
            ])
        }
        return [
            "forks": .array(proofs.map { .string(String(decoding: $0.bytes, as: UTF8.self)) }), "ends": .array(ends),
        ]
    }

    /// A page of the entries of one branch that was set aside.
    func setAside(_ query: LocalQuery) async throws -> JSONValue {
        let origin = try query.required("origin")
        let branches = try await store.setAside(of: origin)
        let number = try query.number("branch", default: 0, most: UInt64(Int32.max))
        guard number < branches.count else {
            throw LocalError(.notFound, "unknown", "\(branches.count) branches of \(origin) were set aside")
        }
        let branch = branches[Int(number)]
        let limit = try query.number("limit", default: 100, most: Self.rowLimit)
        let from = try query.number("from", default: branch.base)
        let entries = try await store.entries(of: branch, from: from, limit: Int(limit))
        let reason = Verdict.Reason.afterEnd.rawValue
        return [
            "branch": Self.branch(branch),
            "entries": .array(entries.map { EntryViews.entry($0.bytes, at: $0.index, ignored: reason) }),
        ]
    }

    private static func branch(_ branch: SetAsideBranch) -> JSONValue {
        [
            "from": .integer(Int64(branch.base)), "size": .integer(Int64(branch.size)),
            "root": .string(branch.root.base64),
        ]
    }
}
