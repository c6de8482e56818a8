import Alliance
import HTTPTypes
import Store
import TransparencyLog

extension LocalRoutes {
    /// Keys that are looked at for one answer.
    private static let keysAtOnce = 20_000

    /// What a register that is joined across members says, of one key or page by page; where each authority's word stands, what the
    /// member `whose` says.
    func joined(_ query: LocalQuery) async throws -> JSONValue {
        let name = try query.required("register")
        let known = try await knowledge(query, of: charter.members)
        let time = try query.time("on")?.seconds ?? known?.at ?? Clock.seconds
        let rule = charter.register(name)?.merge ?? .each
        var registers = try await joinedRegisters(name, known)
        if case .each = rule {
            guard let whose = query.text("whose") else {
                throw LocalError(
                    .badRequest, "invalid",
                    "\(name) is not joined across members: each authority's word stands for itself; name one with whose"
                )
            }
            let member = try query.member(whose)
            registers.removeAll { $0.members[0].id != member.id }
        }
        let register = registers.first
        var answer: JSONObject = ["register": .string(name), "merge": .string(Self.text(of: rule))]
        if let asked = query.text("key") {
            var views: [JSONValue] = []
            if let register {
                let key = try canonicalise(asked, name, register.definition)
                if let row = try await joined(key, in: register, at: time, known) {
                    views = [view(row, register, at: time)]
                }
            }
            answer["entries"] = .array(views)
            answer["next"] = .null
        } else {
            let limit = Int(try query.number("limit", default: 100, most: Self.rowLimit))
            var found: (views: [JSONValue], next: String?) = ([], nil)
            var looked = 0
            if let register, limit > 0 {
                found = try await collect(
                    register, after: query.text("after"), limit: limit, time, known, looked: &looked
                ) { _ in true }
            }
            answer["entries"] = .array(found.views)
            answer["next"] = found.next.map { .string($0) } ?? .null
        }
        answer["known"] = known?.json
        return .object(answer)
    }

    /// Keys on which several statements speak at once, of one register or of all: by register, then key. A page may have fewer than
    /// asked for, or none, and still a `next`.
    func conflicts(_ query: LocalQuery) async throws -> JSONValue {
        let limit = Int(try query.number("limit", default: 100, most: Self.rowLimit))
        let time = try query.time("on")?.seconds ?? Clock.seconds
        let cursor = query.text("after")?.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            .map(String.init)
        if let cursor, cursor.count != 3 { throw LocalError(.badRequest, "invalid", "after is no cursor of this list") }
        var views: [JSONValue] = []
        var isReached = cursor == nil
        var looked = 0
        for register in try await registersToJudge(query.text("register")) {
            // Where each word stands alone, a register is one for each member.
            let whose = register.members.count == 1 ? register.members[0].name : ""
            let isHere = cursor.map { $0[0] == register.name && $0[1] == whose } ?? false
            if isHere { isReached = true }
            guard isReached, limit > 0 else { continue }
            guard views.count < limit, looked < Self.keysAtOnce else {
                return ["conflicts": .array(views), "next": .string("\(register.name):\(whose):")]
            }
            let found = try await collect(
                register, after: isHere ? cursor?[2] : nil, limit: limit - views.count, time, nil, atLeast: 2,
                looked: &looked
            ) { $0.entry.choice.isConflict }
            views += found.views
            if let next = found.next {
                return ["conflicts": .array(views), "next": .string("\(register.name):\(whose):\(next)")]
            }
        }
        guard isReached else {
            throw LocalError(
                .badRequest, "invalid", "the registers have changed since the page before: ask from the start")
        }
        return ["conflicts": .array(views), "next": .null]
    }

    private func registersToJudge(_ name: String?) async throws -> [JoinedRegister] {
        if let name { return try await joinedRegisters(name, nil) }
        var names = Set(charter.registers.map(\.name))
        for member in charter.members {
            for line in try await store.maps(of: log(of: member)) where RegisterName.isValid(line.name) {
                names.insert(line.name)
            }
        }
        var found: [JoinedRegister] = []
        for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            found += try await joinedRegisters(name, nil)
        }
        return found
    }

    /// Joined entries that a caller wants, until there are so many, or so many keys were looked at.
    private func collect(
        _ register: JoinedRegister, after: String?, limit: Int, _ time: Int64, _ known: Knowledge?, atLeast: Int = 0,
        looked: inout Int, _ isWanted: (JoinedRow) -> Bool
    ) async throws -> (views: [JSONValue], next: String?) {
        var views: [JSONValue] = []
        var after = after
        repeat {
            let page = try await keys(of: register, after: after, limit: atLeast > 1 ? 1_000 : min(1_000, limit + 1))
            for (position, (key, statements)) in page.keys.enumerated() {
                let isLast = page.next == nil && position == page.keys.count - 1
                after = key
                // What was in force once may be gone now, so that only now the number says enough.
                guard known != nil || statements >= atLeast,
                    let row = try await joined(key, in: register, at: time, known), isWanted(row)
                else { continue }
                views.append(view(row, register, at: time))
                if views.count == limit { return (views, isLast ? nil : key) }
            }
            looked += page.keys.count
            after = page.next ?? after
            if page.next == nil { return (views, nil) }
        } while looked < Self.keysAtOnce
        return (views, after)
    }
}

// MARK: Views

extension LocalRoutes {
    func view(_ row: JoinedRow, _ register: JoinedRegister, at time: Int64) -> JSONValue {
        let entry = row.entry
        let definition = register.definition
        let effective = entry.choice.effective
        let attestation = effective?.attestation
        var object: JSONObject = [
            "register": .string(register.name), "merge": .string(Self.text(of: register.rule)), "key": .string(row.key),
        ]
        // Where each authority's word stands, whose this is.
        if case .each = entry.join { object["whose"] = .string(register.members[0].name) }
        object["answer"] = .string(answer(entry))
        object["status"] = attestation.map { .string($0.status) } ?? .null
        object["permitsBusiness"] =
            attestation.flatMap { definition.permitsBusiness($0.status) }.map { .bool($0) } ?? .null
        object["member"] = effective.map { .string(name($0.member)) } ?? .null
        object["index"] = effective.map { .integer(Int64($0.placed.index)) } ?? .null
        object["identity"] = effective.map { .string($0.identity.hex) } ?? .null
        object["signedBy"] = effective.map { .string($0.placed.signedBy) } ?? .null
        object["validFrom"] = attestation.map { .string($0.validFrom.text) } ?? .null
        object["validUntil"] = attestation?.validUntil.map { .string($0.text) } ?? .null
        object["fields"] = .object(attestation?.fields ?? [:])
        object["problems"] = .array(
            attestation.map { definition.problems(in: $0).map { .string($0.description) } } ?? [])
        object["conflict"] = .bool(entry.choice.isConflict)
        object["since"] = entry.conflictSince.map { .string($0.text) } ?? .null
        object["why"] = entry.prevalence(definition).map { .string($0) } ?? .null
        let silent = entry.voices.filter { voice in !entry.choice.speaking.contains { $0.identity == voice.identity } }
        object["statements"] = .array(
            (entry.choice.speaking + silent).map { statement($0, row, definition) })
        if case .joint(let view) = entry.join {
            object["superseded"] = .array(view.superseded.map(link))
            object["unendorsed"] = .array(view.unendorsed.map(link))
        }
        if case .adopted(let view) = entry.join { object["needed"] = .integer(Int64(view.needed)) }
        return .object(object)
    }

    private func answer(_ entry: JoinedEntry) -> String {
        if entry.choice.effective != nil { return "present" }
        if entry.voices.isEmpty { return "retracted" }
        if case .adopted = entry.join, entry.inForce.isEmpty { return "proposed" }
        return "none-in-force"
    }

    private func statement(
        _ voice: MemberVoice, _ row: JoinedRow, _ definition: RegisterDefinition
    ) -> JSONValue {
        var object = EntryViews.statement(voice.placed, definition).object ?? [:]
        object["member"] = .string(name(voice.member))
        object["standing"] = .string(row.entry.standing(of: voice).rawValue)
        object["issuedAt"] = row.issuedAt[voice.identity].map { Self.time($0) } ?? .null
        let agreeing = row.endorsements.filter {
            $0.agrees && $0.member != voice.member && $0.endorsement.identity == voice.identity
        }
        object["endorsedBy"] = .array(Set(agreeing.map(\.member)).sorted().map { .string(name($0)) })
        return .object(object)
    }

    private func link(_ link: JointView.Link) -> JSONValue {
        [
            "old": ["member": .string(name(link.old.member)), "index": .integer(Int64(link.old.placed.index))],
            "by": ["member": .string(name(link.by.member)), "index": .integer(Int64(link.by.placed.index))],
        ]
    }

    private func name(_ member: String) -> String { charter.member(id: member)?.name ?? member }
}
