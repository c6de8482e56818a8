internal import Crypto

/// A SHA-256 hash: 32 bytes, held inline without any allocation.
///
/// Ordered by its bytes, which for keys of a register map (section 7) is the order of the tree's leaves.
public struct HashValue: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number of bytes of a hash.
    public static let byteCount = 32

    /// The bytes as four big-endian numbers, so that comparing numbers compares bytes.
    @usableFromInline let words: (UInt64, UInt64, UInt64, UInt64)

    @inlinable
    init(words: (UInt64, UInt64, UInt64, UInt64)) {
        self.words = words
    }

    /// 32 zero bytes: what stands for an absent child in a register map.
    public static let zero = HashValue(words: (0, 0, 0, 0))

    /// Takes 32 bytes as a hash.
    /// - Returns: nil unless there are exactly 32 bytes.
    @inlinable
    public init?(_ bytes: some Sequence<UInt8>) {
        let fast: HashValue?? = bytes.withContiguousStorageIfAvailable { buffer in
            HashValue(exactly: UnsafeRawBufferPointer(buffer))
        }
        guard let hash = fast ?? Array(bytes).withUnsafeBytes({ HashValue(exactly: $0) }) else { return nil }
        self = hash
    }

    /// Takes the 32 bytes of a buffer as a hash.
    /// - Returns: nil unless the buffer holds exactly 32 bytes.
    @inlinable
    public init?(exactly buffer: UnsafeRawBufferPointer) {
        guard buffer.count == HashValue.byteCount else { return nil }
        self.init(loading: buffer, at: 0)
    }

    /// Reads 32 bytes; the caller has checked that they are there.
    @inlinable
    init(loading buffer: UnsafeRawBufferPointer, at offset: Int) {
        words = (
            UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self)),
            UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)),
            UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self)),
            UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self))
        )
    }

    /// Writes the 32 bytes; the caller has checked that there is room.
    @inlinable
    func store(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
        buffer.storeBytes(of: words.0.bigEndian, toByteOffset: offset, as: UInt64.self)
        buffer.storeBytes(of: words.1.bigEndian, toByteOffset: offset + 8, as: UInt64.self)
        buffer.storeBytes(of: words.2.bigEndian, toByteOffset: offset + 16, as: UInt64.self)
        buffer.storeBytes(of: words.3.bigEndian, toByteOffset: offset + 24, as: UInt64.self)
    }

    /// Whether two hashes are the same 32 bytes.
    @inlinable
    public static func == (left: HashValue, right: HashValue) -> Bool {
        left.words == right.words
    }

    /// The order of the bytes, as unsigned numbers, first byte first.
    @inlinable
    public static func < (left: HashValue, right: HashValue) -> Bool {
        left.words < right.words
    }

    /// Feeds all 32 bytes: whoever chooses hashes must not choose collisions.
    @inlinable
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }

    /// Calls `body` with the 32 bytes in memory.
    @inlinable
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        let raw = (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
        return try Swift.withUnsafeBytes(of: raw) { try body($0) }
    }

    /// The 32 bytes as an array.
    public var bytes: [UInt8] {
        withUnsafeBytes { Array($0) }
    }

    /// Lower-case hexadecimal, 64 characters.
    public var description: String {
        hex
    }
}

// MARK: - Text forms

extension HashValue {
    /// Lower-case hexadecimal, 64 characters.
    public var hex: String {
        withUnsafeBytes { Hexadecimal.encode($0) }
    }

    /// Base64 with padding (RFC 4648 section 4), 44 characters.
    public var base64: String {
        withUnsafeBytes { Base64.encode($0) }
    }

    /// Base64url without padding (RFC 4648 section 5), 43 characters.
    public var base64url: String {
        withUnsafeBytes { Base64.encodeURL($0) }
    }

    /// Reads 64 lower-case hexadecimal digits; nil for anything else.
    public init?(hex: some StringProtocol) {
        guard let bytes = Hexadecimal.decode(hex.utf8) else { return nil }
        self.init(bytes)
    }

    /// Reads the canonical, padded base64 of 32 bytes; nil for anything else.
    public init?(base64: some StringProtocol) {
        guard let bytes = Base64.decode(base64) else { return nil }
        self.init(bytes)
    }

    /// Reads the canonical, padded base64 of 32 bytes from ASCII bytes; nil for anything else.
    public init?(base64Bytes: some Collection<UInt8>) {
        guard base64Bytes.count == 44, let bytes = Base64.decode(base64Bytes) else { return nil }
        self.init(bytes)
    }

    /// Reads the canonical, unpadded base64url of 32 bytes; nil for anything else.
    public init?(base64url: some StringProtocol) {
        guard let bytes = Base64.decodeURL(base64url) else { return nil }
        self.init(bytes)
    }
}

// MARK: - SHA-256

extension HashValue {
    /// SHA-256 of the bytes in a buffer.
    public static func sha256(_ buffer: UnsafeRawBufferPointer) -> HashValue {
        var hasher = SHA256()
        hasher.update(bufferPointer: buffer)
        return HashValue(finishing: hasher)
    }

    /// SHA-256 of an array of bytes.
    public static func sha256(_ bytes: [UInt8]) -> HashValue {
        bytes.withUnsafeBytes { sha256($0) }
    }

    /// SHA-256 of a slice of bytes.
    public static func sha256(_ bytes: ArraySlice<UInt8>) -> HashValue {
        bytes.withUnsafeBytes { sha256($0) }
    }

    /// SHA-256 of a string's UTF-8 bytes.
    public static func sha256(_ text: String) -> HashValue {
        var text = text
        return text.withUTF8 { sha256(UnsafeRawBufferPointer($0)) }
    }

    /// SHA-256 of one byte and then a buffer, the form of every leaf of RFC 6962.
    static func sha256(prefix: UInt8, _ buffer: UnsafeRawBufferPointer) -> HashValue {
        var hasher = SHA256()
        Swift.withUnsafeBytes(of: prefix) { hasher.update(bufferPointer: $0) }
        hasher.update(bufferPointer: buffer)
        return HashValue(finishing: hasher)
    }

    /// SHA-256 of one byte and two hashes, the form of every inner node and of a map's leaves.
    static func sha256(prefix: UInt8, _ left: HashValue, _ right: HashValue) -> HashValue {
        withUnsafeTemporaryAllocation(byteCount: 65, alignment: 8) { buffer in
            buffer.storeBytes(of: prefix, as: UInt8.self)
            left.store(into: buffer, at: 1)
            right.store(into: buffer, at: 33)
            return sha256(UnsafeRawBufferPointer(buffer))
        }
    }

    private init(finishing hasher: SHA256) {
        self = hasher.finalize().withUnsafeBytes { HashValue(loading: $0, at: 0) }
    }
}

// MARK: - Bits

extension HashValue {
    /// The bit at a position from the most significant (0) to the least (255).
    func bit(_ position: Int) -> Bool {
        let word =
            switch position >> 6 {
            case 0: words.0
            case 1: words.1
            case 2: words.2
            default: words.3
            }
        return (word << UInt64(position & 63)) >> 63 == 1
    }

    /// How many leading bits two hashes have in common; 256 if they are equal.
    func commonPrefixLength(with other: HashValue) -> Int {
        let first = words.0 ^ other.words.0
        if first != 0 { return first.leadingZeroBitCount }
        let second = words.1 ^ other.words.1
        if second != 0 { return 64 + second.leadingZeroBitCount }
        let third = words.2 ^ other.words.2
        if third != 0 { return 128 + third.leadingZeroBitCount }
        return 192 + (words.3 ^ other.words.3).leadingZeroBitCount
    }
}
