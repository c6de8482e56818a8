import TransparencyLog

/// The sentences of an ``Explanation``.
struct ExplanationWords {
    let register: String
    let key: String
    let definition: RegisterDefinition
    let time: Timestamp
    let members: [CharterMember]

    private func title(_ member: String) -> String { members.first { $0.id == member }?.title ?? member }

    private func titles(_ members: [String]) -> String {
        let titles = members.map(title)
        guard let last = titles.last, titles.count > 1 else { return titles.first ?? "nobody" }
        return titles.dropLast().joined(separator: ", ") + " and " + last
    }

    /// An instant: a date where it is a midnight of its own zone.
    static func day(_ time: Timestamp) -> String {
        time.timeText(seconds: true) == "00:00:00" ? time.dateText : time.text
    }

    private func day(_ time: Timestamp) -> String { Self.day(time) }

    private func entry(_ voice: MemberVoice) -> String { "entry \(voice.placed.index) of \(title(voice.member))" }

    /// The command by which another member endorses a statement.
    private func endorse(_ voice: MemberVoice) -> String {
        let name = members.first { $0.id == voice.member }?.name ?? voice.member
        return "entente endorse \(register) \(ShellWord.quoted(key)) --member \(name) --index \(voice.placed.index)"
    }

    private func retract(_ voice: MemberVoice) -> String { "entente retract --index \(voice.placed.index)" }

    func statement(_ placed: PlacedAttestation) -> String {
        let attestation = placed.attestation
        let until = attestation.validUntil.map { " until \(day($0))" } ?? ""
        return "entry \(placed.index), signed by \(placed.signedBy): \(attestation.status) from "
            + "\(day(attestation.validFrom))\(until)"
    }

    // MARK: The rule

    func rule(_ register: String, _ rule: MergeRule) -> String {
        switch rule {
        case .each:
            "In \(register) each authority's word stands for itself, whatever others say."
        case .joint(let writers):
            "\(register) is kept jointly by \(titles(writers)): what one of them states holds for all, until a statement "
                + "supersedes it."
        case .by(let count):
            "In \(register) a statement takes effect once \(count) other \(count == 1 ? "member endorses" : "members endorse") "
                + "it."
        }
    }

    // MARK: Joint registers

    var jointRule: String {
        "Across members a statement holds until another in force supersedes it; to supersede another member's by a less "
            + "restrictive status takes that member's endorsement."
    }

    func findings(_ view: JointView) -> [String] {
        var findings = view.notWriters.map {
            "\(entry($0)) has no effect: the charter does not name \(title($0.member)) as a writer"
        }
        findings += view.superseded.map { "\(entry($0.old)) is superseded by \(entry($0.by))" }
        findings += view.unendorsed.map {
            "\(entry($0.by)) (\($0.by.attestation.status)) does not supersede \(entry($0.old)) (\($0.old.attestation.status)): it is "
                + "less restrictive, and \(title($0.old.member)) has not endorsed it"
        }
        if !view.unresolved.isEmpty {
            findings.append(
                "\(view.unresolved.count) references name statements that are not in force here, or not seen yet: no effect"
            )
        }
        findings += view.inForce.map { "\(entry($0)) is in force" }
        return findings
    }

    func changes(_ view: JointView) -> [String] {
        view.unendorsed.map {
            "\(title($0.old.member)) endorses \(entry($0.by)): then "
                + "\(entry($0.old)) is superseded (\(endorse($0.by)))"
        }
            + view.superseded.map {
                "\(title($0.by.member)) takes \(entry($0.by)) back: then \(entry($0.old)) holds again (\(retract($0.by)))"
            }
    }

    // MARK: Registers by K

    func adoptionRule(_ count: Int) -> String {
        "A statement is adopted while \(count) \(count == 1 ? "member" : "members") other than its author "
            + "\(count == 1 ? "has" : "have") an endorsement of exactly it in force."
    }

    func findings(_ view: AdoptedView) -> [String] {
        view.proposals.map { proposal in
            let who = proposal.endorsers.isEmpty ? "nobody" : titles(proposal.endorsers)
            let state = proposal.isAdopted ? "adopted" : "proposed only"
            return
                "\(entry(proposal.voice)) is endorsed by \(who), \(proposal.endorsers.count) of \(view.needed) needed: \(state)"
        }
    }

    func changes(_ view: AdoptedView) -> [String] {
        view.proposals.map { proposal in
            let missing = view.needed - proposal.endorsers.count
            guard !proposal.isAdopted else {
                return
                    "\(1 - missing) of \(titles(proposal.endorsers)) \(missing == 0 ? "takes its" : "take their") endorsement of "
                    + "\(entry(proposal.voice)) back: then it is no longer adopted (\(endorse(proposal.voice)) --take-back)"
            }
            return
                "\(missing) more \(missing == 1 ? "member endorses" : "members endorse") \(entry(proposal.voice)): then it is adopted "
                + "(\(endorse(proposal.voice)))"
        }
    }

    // MARK: The choice at a time

    var choiceRule: String {
        "At \(day(time)), of each member's statements in force the one that began last speaks, until its end."
    }

    func findings(_ inForce: [MemberVoice]) -> [String] {
        inForce.map { voice in
            let own = inForce.filter { $0.member == voice.member }
            let begun = own.map(\.attestation.validFrom.seconds).filter { $0 <= time.seconds }
            let from = voice.attestation.validFrom
            if from.seconds > time.seconds { return "\(entry(voice)) does not speak yet: it begins on \(day(from))" }
            if let latest = begun.max(), from.seconds < latest,
                let next = own.first(where: { $0.attestation.validFrom.seconds == latest })
            {
                return "\(entry(voice)) no longer speaks: \(entry(next)) began on \(day(next.attestation.validFrom))"
            }
            if let until = voice.attestation.validUntil, until.seconds <= time.seconds {
                return "\(entry(voice)) ended on \(day(until)); nothing that it followed comes back"
            }
            return "\(entry(voice)) speaks: \(voice.attestation.status)"
        }
    }

    func answer(_ choice: JointChoice, _ inForce: [MemberVoice]) -> String {
        guard let voice = choice.effective else {
            return inForce.isEmpty
                ? "So at \(day(time)) there is no status: no statement is in force."
                : "So at \(day(time)) there is no status: no statement in force speaks then."
        }
        let status = voice.attestation.status
        let business =
            switch definition.permitsBusiness(status) {
            case true?: ", which permits business"
            case false?: ", which permits no business"
            case nil: ", which the register's vocabulary does not have: it permits nothing"
            }
        guard choice.isConflict else {
            return "So at \(day(time)) the status is \(status)\(business) (\(entry(voice)))."
        }
        return
            "So at \(day(time)) there is a conflict of \(choice.speaking.count) statements, and the most restrictive prevails: "
            + "\(status)\(business) (\(entry(voice)))."
    }

    /// What is stated already and changes the answer at a later time, by date.
    func dated(_ inForce: [MemberVoice]) -> [String] {
        var found: [(at: Int64, text: String)] = []
        for voice in inForce {
            let attestation = voice.attestation
            if attestation.validFrom.seconds > time.seconds {
                found.append(
                    (
                        attestation.validFrom.seconds,
                        "on \(day(attestation.validFrom)) \(entry(voice)) begins to speak: \(attestation.status)"
                    ))
            }
            if let until = attestation.validUntil, until.seconds > time.seconds {
                found.append((until.seconds, "on \(day(until)) \(entry(voice)) ends"))
            }
        }
        return found.sorted { ($0.at, $0.text) < ($1.at, $1.text) }.map(\.text)
    }

    func whoCanChange(_ voice: MemberVoice) -> String {
        "\(title(voice.member)) states another status from a later date (entente publish entry \(register) --key "
            + "\(ShellWord.quoted(key)) --status STATUS --from DATE), or replaces or takes back entry \(voice.placed.index) "
            + "(\(retract(voice)))"
    }

    func resolution(_ joined: JoinedEntry) -> String {
        let command = "entente resolve \(register) \(ShellWord.quoted(key)) --take NAME"
        let sides = joined.choice.speaking.map(entry).joined(separator: " and ")
        if case .adopted = joined.join {
            return "one of \(sides) is no longer adopted: that ends the conflict (\(command))"
        }
        return "one statement that supersedes \(sides) ends the conflict (\(command))"
    }
}
