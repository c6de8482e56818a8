import Testing
import TransparencyLog

@Suite struct EncodingTests {
    @Test func base64RoundTripsEveryLength() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ 7) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Base64.decodeURL(Base64.encodeURL(bytes)) == bytes)
            #expect(Base64.decode(bytes.withUnsafeBytes { Base64.encode($0) }) == bytes)
        }
        #expect(Base64.encode(utf8("foob")) == "Zm9vYg==")
        #expect(Base64.encode(utf8("fooba")) == "Zm9vYmE=")
        #expect(Base64.encodeURL([0xFB, 0xFF]) == "-_8")
        #expect(Base64.encode([0xFB, 0xFF]) == "+/8=")
    }

    @Test(arguments: [
        "AB==", "AAB=", "A", "AA", "AAA", "A===", "====", "=", "==", "AA=A", "AAAA=", "AAAA====", "AAAA\n", " AAAA",
        "AA-_", "A\u{0}AA", "é===", "AAA=AAAA", "AA==AA==",
    ])
    func base64IsStrict(_ text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(arguments: ["A", "AB", "AAB", "AA==", "AAA=", "AA+/", "AAAAA", "AA AA", "AAA\n", "\u{e9}A"])
    func base64urlIsStrict(_ text: String) {
        #expect(Base64.decodeURL(text) == nil)
    }

    /// Of all texts of up to three characters, exactly those decode that are what their bytes encode to.
    @Test func base64AcceptsOnlyWhatItWrites() {
        let characters = utf8("AQgwBZ9-_+/= \n") + [0x00, 0x7F, 0x80, 0xFF]
        for first in characters {
            for second in characters {
                for third in characters {
                    let text = [first, second, third]
                    if let bytes = Base64.decodeURL(text) { #expect(utf8(Base64.encodeURL(bytes)) == text) }
                    let padded = text + utf8("=")
                    if let bytes = Base64.decode(padded) { #expect(utf8(Base64.encode(bytes)) == padded) }
                }
                let padded = [first, second] + utf8("==")
                if let bytes = Base64.decode(padded) { #expect(utf8(Base64.encode(bytes)) == padded) }
                if let bytes = Base64.decodeURL([first, second]) {
                    #expect(utf8(Base64.encodeURL(bytes)) == [first, second])
                }
            }
        }
    }

    @Test func decimals() {
        #expect(Decimal64.parse("0") == 0)
        #expect(Decimal64.parse("18446744073709551615") == UInt64.max)
        for text in [
            "", "+5", "-5", "05", "00", " 5", "5 ", "5\n", "0x5", "1e3", "1_000", "18446744073709551616",
            "99999999999999999999", "184467440737095516150", "٥",
        ] {
            #expect(Decimal64.parse(text) == nil, "\(text)")
        }
    }

    @Test func hashForms() {
        let hash = HashValue.sha256(utf8("abc"))
        #expect(hash.hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(hash.description == hash.hex)
        #expect(HashValue(hex: hash.hex) == hash)
        #expect(HashValue(base64: hash.base64) == hash)
        #expect(HashValue(base64url: hash.base64url) == hash)
        #expect(HashValue(base64Bytes: utf8(hash.base64)) == hash)
        #expect(HashValue(hash.bytes) == hash)
        #expect(HashValue(AnySequence(hash.bytes)) == hash)
        #expect(HashValue(hash.bytes.dropLast()) == nil)
        #expect(HashValue(hash.bytes + [0]) == nil)
        #expect(HashValue(hex: hash.hex.uppercased()) == nil)
        #expect(HashValue(hex: hash.hex.dropLast()) == nil)
        #expect(HashValue(base64: hash.base64url) == nil)
        #expect(HashValue(base64url: hash.base64) == nil)
        #expect(HashValue(base64: hash.base64.dropLast() + "\n") == nil)
        #expect(HashValue.zero.bytes == [UInt8](repeating: 0, count: 32))
        #expect(HashValue.sha256("abc") == hash)
        #expect(HashValue.sha256(utf8("xabc")[1...]) == hash)
        #expect(MemoryLayout<HashValue>.size == 32)
    }

    @Test func hashesAreOrderedByTheirBytes() {
        var generator = Seeded(1)
        for _ in 0..<200 {
            let left = HashValue.sha256("\(generator.next())")
            let right = left.flipping(bit: Int.random(in: 0..<256, using: &generator))
            #expect((left < right) == left.bytes.lexicographicallyPrecedes(right.bytes))
            #expect(left != right)
        }
    }

    @Test func errorsCompareByCode() {
        #expect(TransparencyLogError(.invalidNote, "a", at: "b") == TransparencyLogError(.invalidNote, "c"))
        #expect(TransparencyLogError(.invalidNote, "a") != TransparencyLogError(.invalidKey, "a"))
        #expect(TransparencyLogError(.invalidKey, "why", at: "line 3").description == "invalidKey: why (line 3)")
    }
}
