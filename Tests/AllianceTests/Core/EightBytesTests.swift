import Testing

@testable import Alliance

@Suite("Eight bytes at once say what each of them says")
struct EightBytesTests {
    @Test("Every byte, at every place, among others", arguments: 0..<8)
    func everyByte(place: Int) {
        for byte in UInt8.min...UInt8.max {
            for other in [UInt8(ascii: "a"), 0x20, 0x7F, byte] {
                var bytes = Array(repeating: other, count: 8)
                bytes[place] = byte
                let isPlain = bytes.allSatisfy {
                    0x20..<0x80 ~= $0 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
                }
                bytes.withUnsafeBytes { buffer in
                    let eight = EightBytes(buffer, at: 0)
                    #expect(eight.arePlain == isPlain, "\(bytes)")
                    for sought in [byte, 0x2E, 0] {
                        #expect(eight.contain(sought) == bytes.contains(sought), "\(bytes)")
                    }
                }
            }
        }
    }
}
