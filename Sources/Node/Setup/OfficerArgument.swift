public import Alliance

/// An officer as the command line names one: `NAME.pub[:kinds[:registers]]`, such as `ayesha.pub`,
/// `omar.pub:attestation,retraction` or `omar.pub:attestation:vasp-licences,warnings`.
public struct OfficerArgument: Sendable, Hashable {
    public let officer: Officer

    /// What an officer may publish if nothing is said: everything that officers publish.
    public static let standardKinds: Set<StatementKind> = Set(StatementKind.allCases).subtracting([.roster])

    /// Reads the argument and the file that it names.
    ///
    /// - Parameter place: how the argument was given, for errors.
    /// - Throws: ``SetupError``.
    public init(_ text: String, place: String = "--officer ") throws(SetupError) {
        // A path may hold a colon: what follows the last ".pub" is ours.
        guard let end = Self.endOfPath(text) else {
            throw SetupError(.badValue, "\(place)\(text)", "must name a .pub file: NAME.pub[:kinds[:registers]]")
        }
        let path = String(text[..<end])
        let permission = try Permission(text[end...].dropFirst(), place: "\(place)\(text)")
        let file = try PublicKeyFile(at: path)
        guard file.kind == .officer else {
            throw SetupError(.mismatch, path, "is a key for \(file.kind.rawValue), not an officer's")
        }
        do throws(AllianceError) {
            officer = Officer(
                name: file.name, key: try SigningKey(file.key), kinds: permission.kinds,
                registers: permission.registers)
        } catch {
            throw SetupError(.malformed, path, error.reason)
        }
    }

    private static func endOfPath(_ text: String) -> String.Index? {
        var index = text.endIndex
        while index > text.startIndex {
            if text[..<index].hasSuffix(KeyFile.publicSuffix), index == text.endIndex || text[index] == ":" {
                return index
            }
            index = text.index(before: index)
        }
        return nil
    }
}

/// What an officer may publish, as the command line says it: `[kinds[:registers]]`, such as `attestation,retraction` or
/// `attestation:vasp-licences,warnings`.
public struct Permission: Sendable, Hashable {
    public let kinds: Set<StatementKind>
    /// Nil for all.
    public let registers: [String]?

    /// - Parameter place: how the argument was given, for errors.
    public init(_ text: some StringProtocol, place: String) throws(SetupError) {
        let parts = String(text).split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2 else {
            throw SetupError(.badValue, place, "has too many colons: [kinds[:registers]] is due after the name")
        }
        if let words = parts.first, !words.isEmpty {
            kinds = try Self.kinds(words, place)
        } else {
            kinds = OfficerArgument.standardKinds
        }
        registers = parts.count == 2 ? try Self.registers(parts[1], place) : nil
    }

    private static func kinds(_ text: String, _ place: String) throws(SetupError) -> Set<StatementKind> {
        var kinds: Set<StatementKind> = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let kind = StatementKind(rawValue: String(word)), kind != .roster else {
                let known = OfficerArgument.standardKinds.map(\.rawValue).sorted().joined(separator: ", ")
                throw SetupError(.badValue, place, "\"\(word)\" is no kind; known are: \(known)")
            }
            kinds.insert(kind)
        }
        return kinds
    }

    private static func registers(_ text: String, _ place: String) throws(SetupError) -> [String] {
        let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        for name in names where !RegisterName.isValid(name) && name != "@documents" {
            throw SetupError(.badValue, place, "\"\(name)\" is no register")
        }
        return names
    }
}
