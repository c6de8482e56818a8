import TransparencyLog

// MARK: - The register

extension Verification {
    private var question: ProofQuestion { proof.question }

    mutating func checkDefinition() {
        guard !question.isAboutDocuments else {
            if proof.definition != nil { note(.definition, .failed, "Documents have no definition.") }
            note(
                .key, "The key is the identifier of a work.",
                unless: PolicyDocument.isWork(question.key) ? nil : "The key is no identifier of a work.")
            return
        }
        let (found, result, text) = judgeDefinition()
        definition = found
        note(.definition, result, text)
        guard let found else {
            note(.key, .cannotTell, "Without the definition, the key's form is not known.")
            return
        }
        var wrong: String?
        if let field = question.field {
            if let lookup = found.lookups.first(where: { $0.field.utf8.elementsEqual(field.utf8) }) {
                if !lookup.form.isCanonical(question.key) { wrong = "The value is not in canonical form." }
            } else {
                wrong = "The register has no lookup field \(field)."
            }
        } else if !found.keyForm.isCanonical(question.key) {
            wrong = "The key is not in canonical form: whether it is stated cannot be proven under this spelling."
        }
        note(.key, "The key is in the register's canonical form.", unless: wrong)
    }

    private func judgeDefinition() -> (RegisterDefinition?, VerificationReport.Result, String) {
        let name = question.register
        guard let evidence = proof.definition else { return (nil, .failed, "The register's definition is missing.") }
        if case .published(let statement, let map) = evidence { return judgeOwnDefinition(statement, map) }
        let named = chain.version(proof.state.charterVersion) ?? charter
        guard let listed = named.charter.register(name) else {
            return (nil, .failed, "Your charter lists no register \(name).")
        }
        guard let found = evidence.unverifiedDefinition else {
            if case .builtIn(let digest) = evidence, digest == listed.definition {
                return (nil, .cannotTell, "The definition of \(name) is not built into this version: get a newer one.")
            }
            return (nil, .failed, "The definition is none, or not the one that your charter lists for \(name).")
        }
        guard HashValue.sha256(found.descriptor) == listed.definition, found.name.utf8.elementsEqual(name.utf8) else {
            return (nil, .failed, "The definition is not the one that your charter lists for \(name).")
        }
        return (found, .passed, "The definition is the one that your charter lists for \(name).")
    }

    /// A member's own register: the newest definition in its own log.
    private func judgeOwnDefinition(
        _ statement: ProofStatement, _ map: RegisterMapProof
    ) -> (RegisterDefinition?, VerificationReport.Result, String) {
        let name = question.register
        guard let member, RegisterName.isOwn(name, of: member.name) else {
            return (nil, .failed, "\(name) is no register of the member's own.")
        }
        guard let parsed = try? Statement(parsing: statement.entry.bytes), case .register(let body) = parsed.body,
            let found = try? RegisterDefinition(descriptor: body.descriptor),
            found.name.utf8.elementsEqual(name.utf8), body.name.utf8.elementsEqual(name.utf8)
        else { return (nil, .failed, "The definition's statement does not define \(name).") }
        let row = Row(inForce: [statement.entry.item]).bytes
        guard let line = proof.state.line(ReservedMap.registers),
            map.verifyPresence(key: Array(name.utf8), row: row, root: line.root)
        else { return (nil, .failed, "The definition is not the one in force in the member's log.") }
        return (found, .passed, "The definition is the newest in the member's own log.")
    }

    mutating func checkRow() {
        var wrong: String?
        let key = question.row.key
        switch (proof.state.line(question.map), proof.row) {
        case (nil, nil): if !proof.statements.isEmpty { wrong = "The log's map has no entries at all." }
        case (nil, _?): wrong = "The log has no map that this proof could be of."
        case (_?, nil): wrong = "The proof of the map's row is missing."
        case (let line?, let map?):
            if proof.statements.isEmpty {
                if !map.verifyAbsence(key: key, root: line.root) {
                    wrong = "The map does not show that nothing was stated."
                }
            } else if let row = proof.rowBytes {
                if !map.verifyPresence(key: key, row: row, root: line.root) {
                    wrong = "The map's row does not name exactly these statements."
                }
            } else {
                wrong = "The statements are not listed newest first."
            }
        }
        note(
            .row,
            proof.statements.isEmpty
                ? "The log's map shows that nothing was ever stated."
                : "The log's map names exactly these statements.",
            unless: wrong)
    }
}

// MARK: - Rosters and statements

extension Verification {
    private var ownDefinition: ProofStatement? {
        if case .published(let statement, _)? = proof.definition { statement } else { nil }
    }

    mutating func checkRosters() {
        let judged = proof.statements + [ownDefinition].compactMap(\.self)
        guard !judged.isEmpty || !proof.rosters.isEmpty else { return }
        var wrong: String?
        for one in proof.rosters {
            switch judge(one) {
            case .success(let roster): rosters.append((one, roster))
            case .failure(let problem): wrong = wrong ?? "Roster \(one.ordinal) \(problem.reason)."
            }
        }
        for statement in judged where roster(at: statement.entry.index) == nil {
            wrong = wrong ?? "No roster in the proof was in force for entry \(statement.entry.index)."
        }
        note(.rosters, "The rosters in force then are signed by the member's root keys.", unless: wrong)
    }

    /// The verified roster that governs an index.
    private func roster(at index: UInt64) -> Roster? { rosters.first { $0.proof.governs(index) }?.roster }

    private struct Problem: Error {
        let reason: String
    }

    private func judge(_ one: ProofRoster) -> Result<Roster, Problem> {
        guard let member, let line = proof.state.line(ReservedMap.rosters) else {
            return .failure(Problem(reason: "is not in the log's maps"))
        }
        guard let statement = try? Statement(parsing: one.entry.bytes), case .roster(let roster) = statement.body else {
            return .failure(Problem(reason: "is no roster"))
        }
        guard roster.ordinal == one.ordinal, statement.alliance == charter.alliance,
            statement.issuer.utf8.elementsEqual(member.id.utf8)
        else { return .failure(Problem(reason: "is another than it says")) }
        let row = Row(inForce: [one.entry.item]).bytes
        guard one.proof.verifyPresence(key: Self.ordinal(one.ordinal), row: row, root: line.root) else {
            return .failure(Problem(reason: "is not the one in the log's maps"))
        }
        let next = Self.ordinal(one.ordinal + 1)
        let isNext =
            one.next.map { item in
                one.nextProof.verifyPresence(key: next, row: Row(inForce: [item]).bytes, root: line.root)
            } ?? one.nextProof.verifyAbsence(key: next, root: line.root)
        guard isNext else { return .failure(Problem(reason: "is not shown to be the newest then")) }
        // Those of the charter whose cut is at or below the roster.
        let owner = governance?.member(at: one.entry.index) ?? member
        var signed: Set<String> = []
        for signature in statement.signatures {
            guard let root = owner.rootKeys.first(where: { $0.name == signature.keyName }) else { continue }
            guard signature.isValid(by: root.key) else { return .failure(Problem(reason: "has a bad signature")) }
            signed.insert(root.name)
        }
        guard signed.count >= owner.rootThreshold else {
            return .failure(Problem(reason: "is not signed by enough root keys"))
        }
        return .success(roster)
    }

    private static func ordinal(_ number: UInt64) -> [UInt8] { Array(String(number).utf8) }

    mutating func checkStatements() {
        var parsed: [(index: UInt64, statement: Statement)] = []
        var wrong: String?
        var unapproved: String?
        var needsApproval = false
        for one in proof.statements.reversed() + [ownDefinition].compactMap(\.self) {
            let index = one.entry.index
            guard let statement = try? Statement(parsing: one.entry.bytes) else {
                wrong = wrong ?? "Entry \(index) is no statement."
                continue
            }
            let isDefinition = statement.kind == .register
            if let problem = isDefinition ? nil : subjectProblem(statement, alone: proof.statements.count == 1) {
                wrong = wrong ?? "Entry \(index) \(problem)."
            }
            switch judge(statement, at: index) {
            case .success(let (roster, officer)):
                let registers = statement.registersNeedingTwo(in: roster)
                if !registers.isEmpty { needsApproval = true }
                for register in registers where !isApproved(one, statement, register, roster, author: officer) {
                    unapproved = unapproved ?? "Entry \(index) lacks the approval of a second officer."
                }
            case .failure(let problem): wrong = wrong ?? "Entry \(index) \(problem.reason)."
            }
            if !isDefinition { parsed.append((index, statement)) }
        }
        if !proof.statements.isEmpty || ownDefinition != nil {
            note(.statements, "Every statement is signed by an officer who was allowed to.", unless: wrong)
        }
        if needsApproval {
            note(.approvals, "A second officer approved where the roster asks for it.", unless: unapproved)
        }
        if parsed.count == proof.statements.count { statements = parsed }
    }

    /// What is wrong with what a statement of the row is about; nil where nothing is.
    private func subjectProblem(_ statement: Statement, alone: Bool) -> String? {
        switch statement.body {
        case .attestation(let attestation):
            guard attestation.register.utf8.elementsEqual(question.register.utf8) else {
                return "is about another register"
            }
            if let field = question.field {
                return alone || attestation.has(question.key, in: field) ? nil : "does not have the value asked"
            }
            return attestation.key.utf8.elementsEqual(question.key.utf8) ? nil : "is about another key"
        case .document(let document):
            return question.isAboutDocuments && document.work.utf8.elementsEqual(question.key.utf8)
                ? nil : "is about another work"
        case .retraction(let retraction):
            let isAbout = retraction.targets.contains { target in
                target.register.utf8.elementsEqual(question.register.utf8)
                    && (question.field != nil || target.key.utf8.elementsEqual(question.key.utf8))
            }
            return alone && isAbout ? nil : "takes back something else"
        default: return "is of a kind that no row names"
        }
    }

    private func judge(_ statement: Statement, at index: UInt64) -> Result<(Roster, Officer), Problem> {
        guard let member, statement.alliance == charter.alliance,
            statement.issuer.utf8.elementsEqual(member.id.utf8)
        else { return .failure(Problem(reason: "is of another member or alliance")) }
        guard let roster = roster(at: index) else {
            return .failure(Problem(reason: "has no roster by which it could be judged"))
        }
        guard let officer = roster.officer(named: statement.signer.keyName) else {
            return .failure(Problem(reason: "is signed by a key that was not in force"))
        }
        guard statement.signatures.count == 1, statement.signatures[0].isValid(by: officer.key) else {
            return .failure(Problem(reason: "has a signature that does not verify"))
        }
        let register = statement.kind == .retraction ? question.register : statement.register
        guard officer.permits(statement.kind, register: register) else {
            return .failure(Problem(reason: "is signed by an officer who may not publish it"))
        }
        return .success((roster, officer))
    }

    private func isApproved(
        _ one: ProofStatement, _ statement: Statement, _ register: String, _ roster: Roster, author: Officer
    ) -> Bool {
        one.approvals.contains { entry in
            guard entry.index > one.entry.index, let approval = try? Statement(parsing: entry.bytes),
                case .approval(let identities) = approval.body, identities.contains(statement.identity),
                approval.alliance == statement.alliance, approval.issuer.utf8.elementsEqual(statement.issuer.utf8),
                let second = roster.officer(named: approval.signer.keyName), second.key != author.key,
                second.permits(.approval, register: register)
            else { return false }
            return approval.signatures[0].isValid(by: second.key)
        }
    }
}

// MARK: - The answer

extension Verification {
    mutating func readAnswer() {
        guard let statements else { return }
        answer = ProofAnswer(to: question, of: statements, definition: definition, at: time)
    }

    func report() -> VerificationReport {
        let isBad = checks.contains { $0.result == .failed }
        let other = differenceFromAsked
        let shown = isBad ? nil : answer
        let conclusion: VerificationReport.Conclusion
        if isBad {
            conclusion = .bad
        } else if checks.contains(where: { $0.result == .cannotTell }) || shown == nil {
            conclusion = .cannotTell
        } else if other != nil || !(options.expectation.flatMap { want in shown.map(want.isMet) } ?? true) {
            conclusion = .notExpected
        } else {
            conclusion = .good
        }
        return VerificationReport(
            conclusion: conclusion, question: question, time: time, isAboutNow: on == nil, checks: checks,
            answer: shown, problems: problems(of: shown),
            signedBy: isBad ? [] : signers, publishedBy: isBad || restsOn.isEmpty ? nil : publishedBy,
            stillSo: isBad ? nil : judgement?.stillSo,
            holders: (judgement?.holders ?? []).map { holder in
                VerificationReport.Holder(
                    member: holder.member.id, title: holder.member.title, time: holder.newest)
            }, needed: charter.charter.quorum, charterVersion: charter.charter.version,
            fingerprint: charter.fingerprint, memberTitle: member?.title ?? question.member, otherQuestion: other,
            expectation: options.expectation, now: now, human: HumanTime(member: member))
    }

    /// How the entries of an answer break the register's definition.
    private func problems(of answer: ProofAnswer?) -> [String] {
        guard case .present(let entries)? = answer, let definition else { return [] }
        return entries.flatMap { entry in
            definition.problems(in: entry.placed.attestation).map { problem in
                entries.count == 1 ? problem.description : "\(entry.key): \(problem)"
            }
        }
    }

    /// The names of the keys that signed what the answer rests on, each once.
    private var signers: [String] {
        let indices = Set(restsOn)
        var names: [String] = []
        for (index, statement) in statements ?? [] where indices.contains(index) {
            let name = statement.signer.keyName
            if !names.contains(name) { names.append(name) }
        }
        return names
    }

    /// How the proof's question differs from what the caller asked; nil where it does not.
    private var differenceFromAsked: String? {
        let asked = options.asked
        if let wanted = asked.member, wanted != question.member, wanted != member?.name {
            return "The proof is about \(member?.title ?? question.member), you asked about \(wanted)."
        }
        if let wanted = asked.map, !wanted.utf8.elementsEqual(question.map.utf8) {
            return "The proof is about \(question.map), you asked about \(wanted)."
        }
        if let wanted = asked.key, !canonical(wanted).utf8.elementsEqual(question.key.utf8) {
            return "The proof is about \(question.key), you asked about \(wanted)."
        }
        return nil
    }

    private func canonical(_ key: String) -> String {
        let lookup = definition?.lookups.first { $0.field == question.field }
        let form = question.field == nil ? definition?.keyForm.canonicalise(key) : lookup?.form.canonicalise(key)
        guard case .success(let text)? = form else { return key }
        return text
    }
}
