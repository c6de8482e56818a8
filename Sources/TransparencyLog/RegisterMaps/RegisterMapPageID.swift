/// Which rows of a register map a page holds: those whose hashed key begins with a prefix of 0 to 48 bits.
///
/// As a number: the prefix in 48 bits, left-aligned, then the prefix's length in 8. It is never negative as an `Int64`,
/// so it can be an SQLite row ID, and its order is that of the keys.
public struct RegisterMapPageID: Hashable, Comparable, Sendable, RawRepresentable, CustomStringConvertible {
    /// The longest prefix, in bits. A page with it is never split: keys that share so much do not occur by chance.
    public static let maximumDepth = 48

    /// The page of all rows of a small map.
    public static let root = RegisterMapPageID(unchecked: 0)

    /// The packed form.
    public let rawValue: UInt64

    /// Takes the packed form.
    /// - Returns: nil for a number that no page has.
    public init?(rawValue: UInt64) {
        let depth = Int(rawValue & 0xFF)
        guard rawValue >> 56 == 0, depth <= Self.maximumDepth else { return nil }
        guard (rawValue >> 8) & (1 << UInt64(Self.maximumDepth - depth) - 1) == 0 else { return nil }
        self.rawValue = rawValue
    }

    /// Takes the packed form as SQLite has it.
    /// - Returns: nil for a number that no page has.
    public init?(_ number: Int64) {
        guard let raw = UInt64(exactly: number) else { return nil }
        self.init(rawValue: raw)
    }

    private init(unchecked rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The page of a depth, at most 48, that a key belongs into.
    init(depth: Int, containing key: HashValue) {
        let free = UInt64(64 - depth)
        self.init(unchecked: ((key.words.0 >> free) << free) >> 8 | UInt64(depth))
    }

    /// The page one deeper, on the left or the right.
    func child(isRight: Bool) -> RegisterMapPageID {
        let bit: UInt64 = isRight ? 1 << UInt64(55 - depth) : 0
        return RegisterMapPageID(unchecked: (rawValue | bit) + 1)
    }

    /// The packed form for SQLite.
    public var number: Int64 {
        Int64(rawValue)
    }

    /// The number of bits of the prefix.
    public var depth: Int {
        Int(rawValue & 0xFF)
    }

    /// The bit of the prefix at a position below the depth.
    func bit(_ position: Int) -> Bool {
        (rawValue >> UInt64(55 - position)) & 1 == 1
    }

    /// Whether a hashed key begins with the prefix.
    func contains(_ key: HashValue) -> Bool {
        RegisterMapPageID(depth: depth, containing: key) == self
    }

    /// The order of the prefixes, a shorter one before those that it begins.
    public static func < (left: Self, right: Self) -> Bool {
        left.rawValue < right.rawValue
    }

    /// The prefix's bits, or "root".
    public var description: String {
        depth == 0 ? "root" : String((0..<depth).map { bit($0) ? "1" : "0" })
    }
}
