import Testing

@testable import Alliance

@Suite("Strict JSON")
struct JSONTests {
    @Test(
        "What is not strict JSON is refused",
        arguments: [
            "", " ", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
            "{a:1}", "{'a':1}", "{\"a\":1}x", "1 2", "nul", "truee", "tru", "NaN", "Infinity", "-", "+1", "01", "-01",
            "-0", "1.", ".5", "1e3", "1E3", "1.0e3", "0x10", "9007199254740992", "-9007199254740992",
            "99999999999999999999", "\"", "\"\\", "\"\\u", "\"\\u12", "\"\\u123g\"", "\"\\x41\"", "\"\t\"", "\"\n\"",
            "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\ud800\"", "\"\\ud800x\"", "\"\\udc00\\ud800\"", "[1]]",
            "{\"a\":1}}",
            "{\"a\":1 \"b\":2}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "{\"a\":{\"b\":1,\"b\":1}}",
            "/* no */ 1", "[1]//", "\u{FEFF}1", "true false", "[1}", "{\"a\":1]", "\"\u{0}\"",
            String(repeating: "[", count: 33) + String(repeating: "]", count: 33),
            String(repeating: "[", count: 100_000), String(repeating: "{\"a\":", count: 100_000),
            String(repeating: "1", count: 65), "0." + String(repeating: "1", count: 63),
        ])
    func refused(text: String) {
        #expect(throws: JSONError.self) { try JSONValue.parse(Array(text.utf8)) }
    }

    @Test(
        "Bytes that are not UTF-8 are refused",
        arguments: [
            [0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
            [0xF0, 0x80, 0x80, 0xAF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xC3], [0xE2, 0x82],
            [0xF0, 0x9F, 0x98], [0xFF], [0xFE], [0xE2, 0x28, 0xA1],
        ] as [[UInt8]])
    func notUTF8(bytes: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        #expect(throws: JSONError.self) { try JSONValue.parse([quote] + bytes + [quote]) }
        #expect(throws: JSONError.self) { try JSONValue.parse([quote] + bytes) }
    }

    @Test("A byte-order mark in front is refused")
    func byteOrderMark() {
        #expect(throws: JSONError.self) { try JSONValue.parse([0xEF, 0xBB, 0xBF] + Array("{}".utf8)) }
    }

    @Test(
        "What is strict JSON reads, and compact writing gives it back",
        arguments: [
            "null", "true", "false", "0", "-1", "9007199254740991", "-9007199254740991", "0.5", "-0.5", "12.340",
            "\"\"",
            "\"a\\\"b\\\\c\\n\\r\\t\\u0001\"", "[]", "{}", "[1,[2,[3]],{\"a\":[]}]", "{\"b\":1,\"a\":2}", "\"é\"",
            "\"e\u{301}\"",
            "{\"é\":1,\"e\u{301}\":2}", "\"😀\"", "\"\u{2028}\"", "{\"\":0}",
            String(repeating: "[", count: 32) + String(repeating: "]", count: 32),
        ])
    func accepted(text: String) throws {
        let value = try JSONValue.parse(Array(text.utf8))
        #expect(value.encoded() == Array(text.utf8))
        #expect(try JSONValue.parse(value.encodedForReading()) == value)
    }

    @Test("Escapes are decoded, surrogate pairs too")
    func escapes() throws {
        let value = try JSONValue.parse(Array(#""\u0041\/\b\f\ud83d\uDE00\u00e9""#.utf8))
        #expect(value.string.map { Array($0.utf8) } == Array("A/\u{8}\u{C}😀é".utf8))
    }

    @Test("Member names are told apart by their bytes, not by how they look")
    func normalizationTwins() throws {
        let value = try JSONValue.parse(Array("{\"é\":1,\"e\u{301}\":2}".utf8))
        #expect(value["é"]?.integer == 1)
        #expect(value["e\u{301}"]?.integer == 2)
        let tape = try JSONTape(Array("{\"e\u{301}\":2}".utf8))
        #expect(tape.root.member("é") == nil)
        #expect(tape.root.member("e\u{301}")?.integer == 2)
    }

    @Test("A name that stands twice is found among many, escaped or not", arguments: [2, 15, 16, 17, 18, 100, 4_000])
    func duplicateAmongMany(count: Int) throws {
        func text(_ last: String) -> [UInt8] {
            let names = (0..<count).map { "\"n\($0)\":{\"n0\":0}" }
            return Array("{\(names.joined(separator: ",")),\(last):1}".utf8)
        }
        #expect(throws: JSONError.self) { try JSONTape(text("\"n\(count / 2)\"")) }
        #expect(throws: JSONError.self) { try JSONTape(text("\"\\u006e\(count - 1)\"")) }
        #expect(throws: Never.self) { try JSONTape(text("\"other\"")) }
    }

    @Test("More members than the limit are refused")
    func tooManyMembers() throws {
        func text(_ count: Int) -> [UInt8] {
            Array("{\((0..<count).map { "\"\($0)\":0" }.joined(separator: ","))}".utf8)
        }
        #expect(try JSONValue.parse(text(JSONLimits.members)).object?.members.count == JSONLimits.members)
        #expect(throws: JSONError.self) { try JSONTape(text(JSONLimits.members + 1)) }
    }

    @Test("Objects full of escaped names cost no more than their bytes")
    func manyNamesAreCheap() throws {
        let object = "{\((0..<4_000).map { "\"\\u006e\($0)\":0" }.joined(separator: ","))}"
        let text = Array("[\(Array(repeating: object, count: 20).joined(separator: ","))]".utf8)
        let clock = ContinuousClock()
        let time = try clock.measure { _ = try JSONTape(text) }
        #expect(time < .seconds(20))
    }

    @Test("Cut off anywhere, it is refused and nothing traps")
    func truncated() throws {
        let text = Array(#"{"a":[1,-2.5,"x\u00e9\ud83d\ude00é😀",null,true,false,{"b":{}}],"c":"\\"}"#.utf8)
        for count in 0..<text.count {
            #expect(throws: JSONError.self) { try JSONTape(Array(text[..<count])) }
        }
        #expect(throws: Never.self) { try JSONTape(text) }
    }

    @Test("Every byte changed to every other: refused or read, never trapped, and what reads writes itself again")
    func everyByte() throws {
        let text = Array(#"{"a":[1,"\u00e9é"],"b":-1.5}"#.utf8)
        for position in text.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = text
                changed[position] = byte
                guard let value = try? JSONValue.parse(changed) else { continue }
                #expect(try JSONValue.parse(value.encoded()) == value)
            }
        }
    }
}
