import Testing

@testable import Alliance

@Suite("Delimited text")
struct DelimitedTextTests {
    private static func cells(_ bytes: [UInt8]) throws -> [[String]] {
        let file = try DelimitedText(bytes)
        return file.rows.map { row in file.cells[row.cells].map { file.reading(of: $0).text } }
    }

    private static func cells(_ text: String) throws -> [[String]] { try cells(Array(text.utf8)) }

    @Test(
        "rows and cells",
        arguments: [
            ("a,b\r\nc,d\r\n", [["a", "b"], ["c", "d"]]), ("a,b\nc,d", [["a", "b"], ["c", "d"]]),
            ("a,b\rc,d\r", [["a", "b"], ["c", "d"]]),
            ("a;b\n1,5;2", [["a", "b"], ["1,5", "2"]]), ("a\tb,c\td\n1\t2\t3", [["a", "b,c", "d"], ["1", "2", "3"]]),
            ("\u{FEFF}a,b\n", [["a", "b"]]), ("\"a\",\"b\"\n", [["a", "b"]]), ("\"a,b\",c", [["a,b", "c"]]),
            ("\"a\"\"b\",c", [["a\"b", "c"]]), ("\"a\r\nb\",c\r\nd,e", [["a\r\nb", "c"], ["d", "e"]]),
            ("a,,\n", [["a", "", ""]]),
            ("a,", [["a", ""]]), (",\n", [["", ""]]), ("\"\"", [[""]]), ("\n\na", [[""], [""], ["a"]]),
            ("a b\n", [["a b"]]),
            ("a\"b,c", [["a\"b", "c"]]), ("\"a\" x,c", [["a x", "c"]]), ("\"a\"\"b\" c,d", [["a\"b c", "d"]]),
            (" \"a\",b", [[" \"a\"", "b"]]), ("\"\"\"\"", [["\""]]), ("é,پ", [["é", "پ"]]),
        ])
    func reading(text: String, rows: [[String]]) throws {
        let found = try Self.cells(text)
        #expect(found.map { $0.map { Array($0.utf8) } } == rows.map { $0.map { Array($0.utf8) } })
    }

    @Test("lines are those of the file, whatever stands inside cells")
    func lines() throws {
        let file = try DelimitedText(Array("h,i\n\"1\r\n2\n3\r4\",x\r\n\ny,z".utf8))
        #expect(file.rows.map(\.line) == [1, 2, 6, 7])
    }

    @Test("bytes that are no UTF-8 are read by Windows-1252, one by one, beside valid UTF-8")
    func mixedEncodings() throws {
        let bytes: [UInt8] =
            Array("Stra".utf8) + [0xDF] + Array("e Zürich ".utf8) + [0x80, 0x93] + Array("x\u{10041}".utf8) + [0xE9]
        let file = try DelimitedText(bytes)
        let reading = file.reading(of: file.cells[0])
        #expect(reading.text == "Straße Zürich €“x\u{10041}é")
        #expect(reading.foreignBytes.map(\.byte) == [0xDF, 0x80, 0x93, 0xE9])
        #expect(reading.foreignBytes.map(\.offset) == [4, 15, 16, 22])
        #expect(reading.unreadableByte == nil)
        let hopeless = try DelimitedText([0x41, 0x81, 0x42])
        #expect(hopeless.reading(of: hopeless.cells[0]).unreadableByte == 0x81)
        let pure = try DelimitedText(Array("\u{FEFF}Straße".utf8))
        #expect(pure.hasByteOrderMark)
        #expect(pure.reading(of: pure.cells[0]).foreignBytes.isEmpty)
    }

    @Test("what is no such file is refused with its place")
    func refusals() throws {
        func error(_ bytes: [UInt8]) throws -> ImportError {
            try #require(throws: ImportError.self) { try DelimitedText(bytes) }
        }
        #expect(try error([]).code == .empty)
        #expect(try error([0xEF, 0xBB, 0xBF]).code == .empty)
        #expect(try error(Array("PK\u{3}\u{4}more".utf8)).code == .notText)
        #expect(try error([0xFF, 0xFE, 0x61, 0x00]).code == .notText)
        #expect(try error(Array("%PDF-1.7".utf8)).code == .notText)
        let zero = try error(Array("a,b\nc,d\0".utf8))
        #expect(zero == ImportError(.notText, zero.reason, line: 2, column: 2))
        let open = try error(Array("a,b\nc,\"d\ne,f\n".utf8))
        #expect(open == ImportError(.openQuote, open.reason, line: 2, column: 2))
        #expect(try error([UInt8](repeating: 0x78, count: ImportLimits.cellBytes + 1)).code == .limit)
        #expect(try error([0x22] + [UInt8](repeating: 0x78, count: ImportLimits.cellBytes + 10)).code == .openQuote)
        #expect(try error([UInt8](repeating: 0x2C, count: ImportLimits.columns)).code == .limit)
        #expect(try error([UInt8](repeating: 0x0A, count: ImportLimits.rows + 1)).code == .limit)
        #expect(try error([UInt8](repeating: 0x0A, count: ImportLimits.fileBytes + 1)).code == .limit)
    }

    @Test("any bytes end in rows or an error, and each byte but quotes and separators is in a cell")
    func noise() {
        var generator = SeededGenerator(state: 11)
        let alphabet: [UInt8] = [
            0x22, 0x22, 0x2C, 0x3B, 0x09, 0x0A, 0x0D, 0x41, 0x42, 0xC3, 0xA9, 0xDF, 0xE2, 0x82, 0xAC, 0x81,
        ]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 1...40, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator)!
            }
            guard let file = try? DelimitedText(bytes) else { continue }
            for cell in file.cells { _ = file.reading(of: cell) }
            #expect(file.rows.reduce(0) { $0 + $1.cells.count } == file.cells.count)
            let letters = file.cells.reduce(0) { sum, cell in
                sum + file.bytes[Int(cell.start)..<Int(cell.end)].count { $0 == 0x41 || $0 == 0x42 }
            }
            #expect(letters == bytes.count { $0 == 0x41 || $0 == 0x42 })
        }
    }
}
