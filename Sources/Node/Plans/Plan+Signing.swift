public import Alliance
import TransparencyLog

extension Plan {
    /// What signing did to a plan.
    public enum Signature: Sendable, Hashable {
        /// This many statements were signed.
        case signed(Int)
        /// This many statements of another officer were approved, by so many approvals.
        case approved(Int, approvals: Int)
        /// This officer had signed it, or approved it, before.
        case already
    }

    /// The officers whose signatures stand in the plan: who signed the statements, and who approved them.
    public func signers() -> (signed: [String], approved: [String]) {
        var signed: [String] = []
        var approved: [String] = []
        for case .entry(let step) in steps {
            if step.kind == .roster, let statement = try? Statement(parsing: step.bytes) {
                for signature in statement.signatures where !signed.contains(signature.keyName) {
                    signed.append(signature.keyName)
                }
            } else if step.kind == .approval {
                if !approved.contains(step.signer) { approved.append(step.signer) }
            } else if !signed.contains(step.signer) {
                signed.append(step.signer)
            }
        }
        return (signed, approved)
    }

    /// Signs the plan, or approves what another officer signed.
    ///
    /// - Parameters:
    ///   - signer: of the plan's member; its key's name is the officer's.
    ///   - now: seconds since 1970, for approvals.
    /// - Throws: ``SetupError`` where the roster that the plan was made under has no such officer.
    public mutating func sign(by signer: Signer, now: Int64) throws -> Signature {
        guard signer.member == member else { throw SetupError(.mismatch, "\(signer)", "is of another member") }
        if let roots { return try sign(by: signer, roots) }
        guard let officer = officers.first(where: { $0.name == signer.keyName }) else {
            let names = officers.map(\.name).joined(separator: ", ")
            throw SetupError(
                .mismatch, "key \(signer.keyName)", "\(title)'s roster has no such officer; it has: \(names)")
        }
        guard officer.key == signer.publicKey else {
            throw SetupError(.mismatch, "key \(signer.keyName)", "\(title)'s roster lists another key under this name")
        }
        if isSigned { return try approve(by: signer, now: now) }
        var count = 0
        for position in steps.indices {
            guard case .draft(let draft) = steps[position] else { continue }
            do {
                steps[position] = .entry(SignedStep(try draft.statement(signedBy: signer)))
            } catch {
                throw SetupError(.malformed, "statement \(position + 1) of the plan", "\(error)")
            }
            count += 1
        }
        return .signed(count)
    }

    /// Adds a root key's signature to a plan of a new roster.
    private mutating func sign(by signer: Signer, _ roots: PlanRoots) throws -> Signature {
        guard let root = roots.keys.first(where: { $0.name == signer.keyName }) else {
            let names = roots.keys.map(\.name).joined(separator: ", ")
            throw SetupError(
                .mismatch, "key \(signer.keyName)",
                "a roster is signed by root keys, and \(title)'s charter entry has: \(names)")
        }
        guard root.key == signer.publicKey else {
            throw SetupError(.mismatch, "key \(signer.keyName)", "the charter lists another root key under this name")
        }
        guard rosterDiff != nil else {
            throw SetupError(.malformed, "plan", "its roster does not follow the roster that it says to change")
        }
        let names = signers().signed
        if names.contains(signer.keyName) || isSigned && missingRootSignatures == 0 { return .already }
        let bytes: [UInt8]
        switch steps[0] {
        case .draft(let draft) where roots.threshold == 1: bytes = try draft.signed(by: signer)
        case .draft(let draft):
            bytes = try JWS.general(type: draft.kind.type, payload: draft.payload, adding: signer, to: nil)
        case .entry(let signed):
            let payload = try JWS(parsing: signed.bytes).payload
            bytes = try JWS.general(type: signed.kind.type, payload: payload, adding: signer, to: signed.bytes)
        }
        steps = [.entry(SignedStep(try Statement(parsing: bytes)))]
        return .signed(1)
    }

    private mutating func approve(by signer: Signer, now: Int64) throws -> Signature {
        let names = signers()
        if names.signed.contains(signer.keyName) || names.approved.contains(signer.keyName) { return .already }
        let context = DraftContext(member: member, alliance: alliance, issuedAt: now)
        var result: [Step] = []
        var waiting: [HashValue] = []
        var statements = 0
        var approvals = 0
        func flush() throws {
            guard !waiting.isEmpty else { return }
            result.append(.entry(SignedStep(try context.approval(of: waiting).statement(signedBy: signer))))
            approvals += 1
            waiting = []
        }
        for step in signedSteps {
            if step.kind != .approval {
                if waiting.count == Self.approvalLimit { try flush() }
                waiting.append(HashValue.sha256(step.bytes))
                statements += 1
            }
            result.append(.entry(step))
        }
        try flush()
        steps = result
        return .approved(statements, approvals: approvals)
    }

    /// Cuts the entries into batches that a node takes at once: at most `most` entries and `bytes` bytes each, cut behind an
    /// approval where there are any.
    public func batches(most: Int = 12_000, bytes limit: Int = 24 << 20) -> [[[UInt8]]] {
        let approved = signers().approved.count
        var batches: [[[UInt8]]] = []
        var group: [[UInt8]] = []
        var size = 0
        var seen = 0
        func endGroup() {
            let bytes = group.reduce(0) { $0 + $1.count }
            if let last = batches.indices.last, batches[last].count + group.count <= most, size + bytes <= limit {
                batches[last] += group
                size += bytes
            } else {
                batches.append(group)
                size = bytes
            }
            group = []
        }
        for step in signedSteps {
            group.append(step.bytes)
            if step.kind == .approval { seen += 1 }
            // What nobody approves stands alone; else a group ends with the last officer's approval.
            if approved == 0 || step.kind == .approval && seen % approved == 0 { endGroup() }
        }
        if !group.isEmpty { endGroup() }
        return batches
    }
}
