public import TransparencyLog

/// The entry that ends every batch: it commits the log to the contents of each of its registers (formats, section 7).
///
///     entente/state/v1
///     <number of entries before this leaf>
///     <charter version> <base64 SHA-256 of that charter's payload>
///     <map name> <row count> <base64 map root>        (one line per map, sorted by bytes)
public struct StateLeaf: Hashable, Sendable {
    /// One map's line.
    public struct Line: Hashable, Sendable {
        public let name: String
        public let count: UInt64
        public let root: HashValue

        /// A map's line.
        public init(name: String, count: UInt64, root: HashValue) {
            self.name = name
            self.count = count
            self.root = root
        }
    }

    /// Entries before this leaf: its own index.
    public let entryCount: UInt64
    public let charterVersion: Int
    public let charterDigest: HashValue
    /// Sorted by the bytes of the name; a map without a line is empty.
    public let lines: [Line]

    /// Maps of one log.
    public static let mapLimit = 256
    /// What every version of a state leaf begins with; statements begin otherwise.
    public static let familyPrefix = Array("entente/state/".utf8)
    private static let firstLine = "entente/state/v1"

    /// States a log's maps; lines are sorted here.
    public init(entryCount: UInt64, charterVersion: Int, charterDigest: HashValue, lines: [Line]) {
        self.entryCount = entryCount
        self.charterVersion = charterVersion
        self.charterDigest = charterDigest
        self.lines = lines.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// The leaf's bytes.
    public var bytes: [UInt8] {
        var text = "\(Self.firstLine)\n\(entryCount)\n\(charterVersion) \(charterDigest.base64)\n"
        for line in lines { text += "\(line.name) \(line.count) \(line.root.base64)\n" }
        return Array(text.utf8)
    }

    /// Reads a leaf strictly: what is accepted is re-encoded to the same bytes.
    public init(parsing bytes: [UInt8]) throws(AllianceError) {
        func fail(_ reason: String, _ line: Int) -> AllianceError {
            AllianceError(.malformed, reason, at: "state leaf, line \(line)")
        }
        guard bytes.last == 0x0A else { throw fail("the last line does not end", 1) }
        let rows = bytes.dropLast().split(separator: 0x0A, omittingEmptySubsequences: false)
        guard rows.count >= 3, rows.count <= 3 + Self.mapLimit else {
            throw fail("3 to \(3 + Self.mapLimit) lines are due", 1)
        }
        guard rows[0].elementsEqual(Self.firstLine.utf8) else {
            throw AllianceError(
                .unknown, "a version of the state leaf that is not known here", at: "state leaf, line 1")
        }
        guard let count = Decimal64.parse(rows[1]) else { throw fail("a decimal number is due", 2) }
        let charter = rows[2].split(separator: 0x20, omittingEmptySubsequences: false)
        guard charter.count == 2, let version = Decimal64.parse(charter[0]), (1...1_000_000).contains(version),
            let digest = HashValue(base64: String(decoding: charter[1], as: UTF8.self))
        else { throw fail("a charter version and its base64 SHA-256 are due", 3) }
        var lines: [Line] = []
        for (position, row) in rows.dropFirst(3).enumerated() {
            let parts = row.split(separator: 0x20, omittingEmptySubsequences: false)
            guard parts.count == 3, let name = String(validating: parts[0], as: UTF8.self), MapName.isValid(name),
                let count = Decimal64.parse(parts[1]),
                let root = HashValue(base64: String(decoding: parts[2], as: UTF8.self))
            else { throw fail("a map's name, row count and base64 root are due", position + 4) }
            if let last = lines.last, !last.name.utf8.lexicographicallyPrecedes(name.utf8) {
                throw fail("the maps are not sorted, or one stands twice", position + 4)
            }
            lines.append(Line(name: name, count: count, root: root))
        }
        self.entryCount = count
        self.charterVersion = Int(version)
        self.charterDigest = digest
        self.lines = lines
    }

    /// The line of a map; nil where it is empty.
    public func line(_ name: String) -> Line? { lines.first { $0.name.utf8.elementsEqual(name.utf8) } }
}

/// The rules for a map's name: a register, a register's lookup field, or one of the reserved names.
public enum MapName {
    /// Whether `text` may name a map.
    public static func isValid(_ text: String) -> Bool {
        if text.utf8.first == UInt8(ascii: "@") {
            return [
                ReservedMap.rosters, ReservedMap.registers, ReservedMap.documents, ReservedMap.endorsements,
                ReservedMap.declarations,
            ].contains { $0.utf8.elementsEqual(text.utf8) }
        }
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count <= 2, let register = parts.first, RegisterName.isValid(String(register) ?? "") else {
            return false
        }
        return parts.count == 1 || isFieldName(parts[1])
    }

    /// The map of a register's lookup field.
    public static func lookup(_ register: String, _ field: String) -> String { "\(register)/\(field)" }

    /// Whether the bytes are `[A-Za-z_][A-Za-z0-9_-]{0,63}`.
    static func isFieldName(_ text: some Collection<UInt8>) -> Bool {
        guard let first = text.first, text.count <= 64, first == 0x5F || (first | 0x20) &- 0x61 < 26 else {
            return false
        }
        return text.allSatisfy { $0 == 0x5F || $0 == 0x2D || ($0 | 0x20) &- 0x61 < 26 || $0 &- 0x30 < 10 }
    }
}
