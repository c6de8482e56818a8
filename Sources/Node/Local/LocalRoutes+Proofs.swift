import Alliance
import Foundation
import HTTPTypes
import Hummingbird
import Replication
import Store
import TransparencyLog

extension LocalRoutes {
    // MARK: Receipts

    /// Seconds that a caller may wait for receipts, or for an entry.
    static let waitLimit: UInt64 = 60

    func receipts(_ query: LocalQuery) async throws -> JSONValue {
        let member = try query.member()
        let index = try await receiptIndex(query, member)
        let wanted = try (query.text("wait")?.split(separator: ",") ?? []).map { try query.member(String($0)) }
        let deadline = Clock.seconds + Int64(try query.number("timeout", default: 0, most: Self.waitLimit))
        let changes = await driver.changes()
        var found = try await holders(of: index, member)
        func isDone() -> Bool { wanted.allSatisfy { found[$0.id] != nil } || Clock.seconds >= deadline }
        if !isDone() {
            for await _ in changes {
                found = try await holders(of: index, member)
                if isDone() { break }
            }
        }
        return try await receipt(index, member, found)
    }

    private func receiptIndex(_ query: LocalQuery, _ member: CharterMember) async throws -> UInt64 {
        let size = try store.size(of: member.log.name)
        if query.text("index") != nil {
            let index = try query.number("index", default: 0, most: UInt64(Int64.max) - 1)
            guard index < size else {
                throw LocalError(
                    .notFound, "unknown", "\(member.name)'s log has \(size) entries; there is no entry \(index)")
            }
            return index
        }
        let register = try query.required("register")
        let key = try query.required("key")
        guard let index = try await store.history(of: RowKey(map: register, key: key), in: member.log.name).first else {
            throw LocalError(.notFound, "unknown", "\(member.name) never said anything of \(key) in \(register)")
        }
        return index
    }

    /// Who holds and checked an entry: members that cosigned a checkpoint above it, with the earliest time known.
    private func holders(of index: UInt64, _ owner: CharterMember) async throws -> [String: Int64] {
        var holders: [String: Int64] = [:]
        func note(_ member: String, _ time: UInt64) {
            holders[member] = min(holders[member] ?? Int64(time), Int64(time))
        }
        let (kept, first) = try await store.cosignatures(of: owner.log.name, over: index)
        for signature in kept { note(signature.member, signature.time) }
        guard let first else { return holders }
        let lines = try SignedNote(parsing: first).signatures
        for member in charter.replicas(of: owner.id) {
            guard let key = member.replica, let line = lines.first(where: { $0.isAttributed(to: key) }) else {
                continue
            }
            note(member.id, try Cosignature(parsing: line).timestamp)
        }
        return holders
    }

    private func receipt(
        _ index: UInt64, _ owner: CharterMember, _ holders: [String: Int64]
    ) async throws -> JSONValue {
        let connected = await driver.connected
        let lastSeen = await network.lastSeen
        let replicas = charter.replicas(of: owner.id)
        let views: [JSONValue] = replicas.map { member in
            let isSelf = member.id == identity.member.id
            let isReachable = isSelf || connected[member.id] != nil
            return [
                "member": .string(member.name), "title": .string(member.title), "zone": .string(member.zone),
                "held": .bool(holders[member.id] != nil),
                "time": holders[member.id].map { Self.time($0) } ?? .null, "reachable": .bool(isReachable),
                "since": (isReachable ? connected[member.id] : lastSeen[member.id]).map { Self.time($0) } ?? .null,
            ]
        }
        return [
            "member": .string(owner.name), "index": .integer(Int64(index)), "entry": try await view(index, owner),
            "needed": .integer(Int64(charter.quorum)), "holders": .array(views),
            "collusion": .integer(Int64(max(0, replicas.count - charter.quorum + 1))),
        ]
    }

    // MARK: Proofs

    func prove(_ query: LocalQuery) async throws -> Response {
        let member = try query.member()
        let map = try query.required("register")
        guard MapName.isValid(map) else {
            throw LocalError(.badRequest, "invalid", "\(map) cannot name a register")
        }
        let register = map.split(separator: "/").first.map(String.init) ?? map
        let state = try await store.state(of: member.log.name)
        let key = try canonicalKey(try query.required("key"), map, state.definitions[register])
        let question = try ProofQuestion(
            alliance: identity.charter.alliance, member: member.id, map: map, key: key, on: try query.time("on"))
        guard state.isJudged else {
            throw LocalError(
                .conflict, "not-provable",
                "\(member.title)'s log goes on behind the cut of charter version \(identity.charter.charter.version) without "
                    + "naming it: its maps say more than what counts, so nothing can be proven from them")
        }
        try await refresh(member)
        guard let stored = try await store.proof(of: question.row, register: register, in: member.log.name) else {
            let record = try await store.log(member.log.name)
            let error = LocalError(
                .conflict, "not-yet",
                "the newest state of \(member.title)'s log (\(record.size) entries) is not held by "
                    + "\(charter.quorum) other members yet; try again in a moment")
            throw error
        }
        let proof = try ProofFile.make(from: material(stored, question, register))
        return LocalAnswer.bytes(proof.encoded(), type: "application/json")
    }

    /// Seconds after which a proof is worth new cosignatures, and milliseconds that it waits for them.
    private static let freshness = (age: Int64(300), wait: Int64(2_000))

    /// Asks for new cosignatures where those of the newest quorum are old, and waits for them a little. What comes too
    /// late serves the next question; an idle alliance that nobody asks stays quiet.
    private func refresh(_ owner: CharterMember) async throws {
        func age() async throws -> Int64? {
            guard let quorum = try await store.checkpoints(of: owner.log.name).quorum else { return nil }
            let times = quorum.cosignatures.map { Int64($0.time) }.sorted(by: >)
            guard charter.quorum > 0, times.count >= charter.quorum else { return nil }
            return Clock.seconds - times[charter.quorum - 1]
        }
        guard let old = try await age(), old > Self.freshness.age else { return }
        let changes = await driver.changes()
        await driver.handle(.freshnessWanted(origin: owner.log.name))
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in changes {
                    if let now = try? await age(), now <= Self.freshness.age { return }
                }
            }
            group.addTask { try? await Task.sleep(for: .milliseconds(Self.freshness.wait)) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Keys are canonicalised by the definition in force, else by the one that the charter lists, if it is built in.
    private func canonicalKey(_ key: String, _ map: String, _ published: RegisterDefinition?) throws -> String {
        if map == ReservedMap.documents { return key }
        let parts = map.split(separator: "/", maxSplits: 1).map(String.init)
        guard let definition = published ?? BuiltInRegisters.definition(named: parts[0]),
            published != nil || charter.register(parts[0]) != nil
        else {
            let names = charter.registers.map(\.name).joined(separator: ", ")
            throw LocalError(.notFound, "unknown", "there is no register \(parts[0]); the shared ones are \(names)")
        }
        return try canonicalise(key, map, definition)
    }

    private func material(_ stored: StoredProof, _ question: ProofQuestion, _ register: String) throws -> ProofMaterial
    {
        let isShared = charter.register(register) != nil
        var definition: ProofDefinition?
        if !question.isAboutDocuments {
            if isShared {
                let published = stored.definition.flatMap { Self.descriptor($0.bytes) }
                let descriptor = published ?? BuiltInRegisters.definition(named: register)?.descriptor
                definition = descriptor.map { ProofDefinition(shared: $0) }
            } else if let own = stored.definition {
                definition = .published(
                    ProofStatement(entry: ProofEntry(index: own.index, bytes: own.bytes)), own.proof)
            }
        }
        return ProofMaterial(
            charter: identity.charter, question: question, note: try stored.checkpoint.fullNote(),
            firstNote: stored.firstNote, stateLeaf: stored.stateLeaf, stateIndex: stored.stateIndex,
            inclusion: stored.inclusion, rowProof: stored.rowProof, row: stored.row,
            statements: stored.statements.map { statement in
                ProofStatement(
                    entry: ProofEntry(index: statement.index, bytes: statement.bytes),
                    approvals: statement.approvals.prefix(ProofStatement.approvalLimit).map {
                        ProofEntry(index: $0.index, bytes: $0.bytes)
                    })
            },
            rosters: stored.rosters.map { roster in
                ProofRoster(
                    entry: ProofEntry(index: roster.index, bytes: roster.bytes), ordinal: roster.ordinal,
                    proof: roster.proof, next: roster.next, nextProof: roster.nextProof)
            }, definition: definition)
    }

    private static func descriptor(_ bytes: [UInt8]) -> [UInt8]? {
        guard let statement = try? Statement(parsing: bytes), case .register(let definition) = statement.body else {
            return nil
        }
        return definition.descriptor
    }
}
