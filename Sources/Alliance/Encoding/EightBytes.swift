/// Eight bytes that are looked at together. (The standard library's SIMD comparisons were ten times slower than a loop
/// when this was measured; a word is faster than either.)
struct EightBytes {
    private let word: UInt64
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highs: UInt64 = 0x8080_8080_8080_8080

    /// The bytes at a position, of which there must be eight.
    init(_ bytes: UnsafeRawBufferPointer, at position: Int) {
        word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
    }

    /// Whether one of them has this value.
    func contain(_ byte: UInt8) -> Bool { zeros(word ^ (Self.ones &* UInt64(byte))) != 0 }

    /// Whether all are printable ASCII, without quotation marks and backslashes. Never wrongly true.
    var arePlain: Bool {
        let controls = (word &- Self.ones &* 0x20) & ~word
        let marks = zeros(word ^ (Self.ones &* 0x22)) | zeros(word ^ (Self.ones &* 0x5C))
        return (controls | marks | word) & Self.highs == 0
    }

    /// Not 0 just where a byte is 0.
    private func zeros(_ word: UInt64) -> UInt64 { (word &- Self.ones) & ~word & Self.highs }
}
