extension DelimitedText {
    /// A cell's text, and what was unusual about its bytes.
    public struct Reading: Hashable, Sendable {
        /// The text, exactly as it stands between its quotes.
        public var text: String
        /// Bytes that are not UTF-8, in their order, each with the character of Windows-1252 that it was read as.
        public var foreignBytes: [ForeignByte] = []
        /// The first byte that is neither UTF-8 nor Windows-1252, if there is one: the text is then not usable.
        public var unreadableByte: UInt8?
        /// Whether a quote stands where the format has none.
        public var hasStrayQuote = false
    }

    /// A byte that was read by the code page Windows-1252.
    public struct ForeignByte: Hashable, Sendable {
        /// Where in the cell, from 0, in bytes.
        public let offset: Int
        /// The byte.
        public let byte: UInt8
        /// What it was read as.
        public let character: Unicode.Scalar
    }

    /// Decodes one cell. Each byte that is no part of valid UTF-8 is read by Windows-1252, and said so, because one
    /// file often holds both.
    public func reading(of cell: Cell) -> Reading {
        var content = bytes[Int(cell.start)..<Int(cell.end)]
        var reading = Reading(text: "")
        switch cell.style {
        case .plain, .quoted: break
        case .escaped: content = Self.unescaped(content)[...]
        case .stray:
            reading.hasStrayQuote = true
            if content.first == 0x22 { content = Self.withoutOpeningQuotes(content)[...] }
        }
        if let text = String(validating: content, as: UTF8.self) {
            reading.text = text
        } else {
            Self.decodeMixed(content, into: &reading)
        }
        return reading
    }

    /// The text of a cell that needs no reading: printable ASCII, nothing to unescape, no blank at its ends. Most cells
    /// of most files are such, and this is what makes a million rows bearable.
    func plainText(of cell: Cell) -> String? {
        guard cell.style == .plain || cell.style == .quoted else { return nil }
        let (start, end) = (Int(cell.start), Int(cell.end))
        if start == end { return "" }
        guard bytes[start] != 0x20, bytes[end - 1] != 0x20 else { return nil }
        return bytes.withUnsafeBufferPointer { buffer in
            let content = buffer[start..<end]
            return content.allSatisfy { $0 >= 0x20 && $0 < 0x7F } ? String(decoding: content, as: UTF8.self) : nil
        }
    }

    /// Whether a cell holds nothing but ASCII blanks.
    public func isBlank(_ cell: Cell) -> Bool {
        bytes[Int(cell.start)..<Int(cell.end)].allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
    }

    private static func unescaped(_ content: ArraySlice<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        var skip = false
        for byte in content {
            if byte == 0x22 {
                skip.toggle()
                if skip { continue }
            }
            output.append(byte)
        }
        return output
    }

    /// The cell `"a""b" c` as `a"b c`: the quoted part unescaped, the rest as it stands.
    private static func withoutOpeningQuotes(_ content: ArraySlice<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        var position = content.startIndex + 1
        while position < content.endIndex {
            if content[position] == 0x22 {
                position += 1
                guard position < content.endIndex, content[position] == 0x22 else { break }
            }
            output.append(content[position])
            position += 1
        }
        return output + content[position...]
    }

    private static func decodeMixed(_ content: ArraySlice<UInt8>, into reading: inout Reading) {
        var scalars = String.UnicodeScalarView()
        var position = content.startIndex
        while position < content.endIndex {
            let lead = content[position]
            let length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2
            let end = position + length
            if end <= content.endIndex, let text = String(validating: content[position..<end], as: UTF8.self) {
                scalars.append(contentsOf: text.unicodeScalars)
                position = end
                continue
            }
            if let scalar = windows1252(lead) {
                let offset = position - content.startIndex
                reading.foreignBytes.append(ForeignByte(offset: offset, byte: lead, character: scalar))
                scalars.append(scalar)
            } else if reading.unreadableByte == nil {
                reading.unreadableByte = lead
            }
            position += 1
        }
        reading.text = String(scalars)
    }

    /// What a byte above 0x7F means in Windows-1252; nil for the five that mean nothing.
    private static func windows1252(_ byte: UInt8) -> Unicode.Scalar? {
        if byte >= 0xA0 { return Unicode.Scalar(byte) }
        let table: [UInt16] = [
            0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,
            0x017D, 0,
            0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,
            0x017E,
            0x0178,
        ]
        let value = table[Int(byte) - 0x80]
        return value == 0 ? nil : Unicode.Scalar(value)
    }
}
