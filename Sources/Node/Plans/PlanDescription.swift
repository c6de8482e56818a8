public import Alliance
import TransparencyLog

/// What a plan's steps say, read from the very bytes that are signed.
public struct PlanDescription: Sendable, Hashable {
    /// One step for people.
    public struct Line: Sendable, Hashable {
        /// What it does: a status, `document`, `retraction`, `definition`, `approval` …
        public let word: String
        /// The register, or `@documents`.
        public let register: String?
        /// A name for people.
        public let label: String
        /// The key within the register.
        public let key: String?
        /// From when it speaks.
        public let validFrom: Timestamp?
        public let validUntil: Timestamp?
        /// How many statements it replaces or takes back.
        public let replaces: Int
    }

    /// One for each step but approvals, in their order.
    public let lines: [Line]

    /// Describes a plan.
    public init(_ plan: Plan) {
        lines = plan.steps.compactMap { step in
            switch step {
            case .draft(let draft): Self.line(kind: draft.kind, payload: draft.payload)
            case .entry(let signed):
                (try? Statement(parsing: signed.bytes)).flatMap { Self.line(kind: $0.kind, payload: $0.payload) }
            }
        }
    }

    private static func line(kind: StatementKind, payload: [UInt8]) -> Line? {
        guard let value = try? JSONValue.parse(payload) else { return nil }
        let replaces = value["supersedes"]?.array?.count ?? 0
        func line(
            _ word: String, _ register: String?, _ label: String, key: String? = nil, replaces: Int = 0
        ) -> Line {
            let from = value["validFrom"]?.string.flatMap { Timestamp(parsing: $0) }
            let until = value["validUntil"]?.string.flatMap { Timestamp(parsing: $0) }
            return Line(
                word: word, register: register, label: label, key: key, validFrom: from, validUntil: until,
                replaces: replaces)
        }
        switch kind {
        case .attestation:
            let subject = value["credentialSubject"]
            let key = subject?["key"]?.string ?? ""
            let label = RegisterChanges.label(of: subject?["fields"]?.object ?? [:], key: key)
            return line(
                subject?["status"]?.string ?? "", subject?["register"]?.string, label, key: key, replaces: replaces)
        case .document:
            let title = value["title"]?.string ?? ""
            return line(
                "document", ReservedMap.documents, title, key: value["work"]?.string, replaces: replaces)
        case .register:
            return line("definition", value["name"]?.string, "of register \(value["name"]?.string ?? "")")
        case .retraction:
            let targets = value["targets"]?.array ?? []
            let label = targets.compactMap { target in
                target["register"]?.string == ReservedMap.endorsements
                    ? "the endorsement of statement \(target["key"]?.string?.prefix(12) ?? "")…" : target["key"]?.string
            }
            let reason = value["reason"]?.string ?? ""
            return line(
                "retraction", targets.first?["register"]?.string,
                "\(label.prefix(3).joined(separator: ", ")) (\(reason))",
                replaces: targets.count)
        case .endorsement:
            return line(
                "endorsement", value["register"]?.string,
                "\(value["type"]?.string ?? "") what \(value["member"]?.string ?? "") states", key: value["key"]?.string
            )
        case .declaration:
            return line("declaration", value["register"]?.string, "\(value["rows"]?.integer ?? 0) rows, complete")
        case .roster: return line("roster", nil, "of ordinal \(value["ordinal"]?.integer ?? 0)")
        case .approval: return nil
        }
    }

    /// A few words on each entry, for errors.
    static func lines(of entries: [[UInt8]]) -> [String] {
        entries.enumerated().map { position, bytes in
            guard let statement = try? Statement(parsing: bytes) else { return "statement \(position + 1)" }
            guard let line = line(kind: statement.kind, payload: statement.payload) else {
                return statement.kind.rawValue
            }
            return [line.word, line.register, line.key ?? line.label].compactMap { $0 }.joined(separator: " ")
        }
    }

    /// The registers that a draft is about.
    static func registers(of draft: Draft) -> [String] {
        guard let value = try? JSONValue.parse(draft.payload) else { return [] }
        switch draft.kind {
        case .attestation: return [value["credentialSubject"]?["register"]?.string].compactMap { $0 }
        case .document: return [ReservedMap.documents]
        case .register: return [value["name"]?.string].compactMap { $0 }
        case .retraction: return (value["targets"]?.array ?? []).compactMap { $0["register"]?.string }
        case .endorsement, .declaration: return [value["register"]?.string].compactMap { $0 }
        case .approval, .roster: return []
        }
    }
}
