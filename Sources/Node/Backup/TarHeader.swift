/// One header of a POSIX tar archive (IEEE 1003.1, "ustar Interchange Format"): a block of 512 bytes before each file.
///
/// A file's size has 11 octal digits there. A larger file has a pax header before its own, which is a file of the type
/// `x` whose content is `LENGTH size=BYTES\n`.
struct TarHeader: Equatable {
    static let block = 512
    /// What 11 octal digits hold.
    static let octalLimit: Int64 = 0o77777777777

    enum Kind: UInt8 { case file = 0x30, extended = 0x78 }

    var path: String
    var size: Int64
    /// Seconds since 1970.
    var time: Int64
    var kind = Kind.file

    /// Zeros behind a content of so many bytes.
    static func padding(_ size: Int64) -> Int { Int((512 - size % 512) % 512) }

    var bytes: [UInt8] {
        var block = [UInt8](repeating: 0, count: Self.block)
        func put(_ text: some Sequence<UInt8>, at offset: Int) {
            for (position, byte) in text.enumerated() { block[offset + position] = byte }
        }
        func octal(_ value: Int64, digits: Int, at offset: Int) {
            let text = String(value, radix: 8)
            put((String(repeating: "0", count: max(0, digits - text.utf8.count)) + text).utf8, at: offset)
        }
        put(path.utf8, at: 0)
        octal(0o600, digits: 7, at: 100)
        octal(0, digits: 7, at: 108)
        octal(0, digits: 7, at: 116)
        octal(size, digits: 11, at: 124)
        octal(max(0, time), digits: 11, at: 136)
        block[156] = kind.rawValue
        put("ustar\u{0}00".utf8, at: 257)
        put(repeatElement(0x20, count: 8), at: 148)
        octal(Int64(block.reduce(0) { $0 + Int($1) }), digits: 6, at: 148)
        block[154] = 0
        return block
    }

    /// Reads a header.
    ///
    /// - Parameter file: the archive, for what is said where something is wrong.
    /// - Throws: ``SetupError`` with code `malformed` for anything but a plain file or an extended header.
    init(_ block: [UInt8], file: String) throws(SetupError) {
        func text(_ range: Range<Int>) -> String {
            String(decoding: block[range].prefix { $0 != 0 }, as: UTF8.self)
        }
        func octal(_ range: Range<Int>) -> Int64? {
            Int64(String(text(range).filter { $0 != " " }), radix: 8).flatMap { $0 < 0 ? nil : $0 }
        }
        let sum = block.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 0x20 : Int($1.element)) }
        guard block.count == Self.block, octal(148..<156) == Int64(sum), text(257..<262) == "ustar" else {
            throw SetupError(.malformed, file, "this is no backup, or it is damaged: a header is not one of tar")
        }
        let name = text(345..<500).isEmpty ? text(0..<100) : "\(text(345..<500))/\(text(0..<100))"
        guard let kind = Kind(rawValue: block[156] == 0 ? Kind.file.rawValue : block[156]) else {
            throw SetupError(
                .malformed, file, "'\(name)' is a link, a folder or a device; a backup holds plain files only")
        }
        guard let size = octal(124..<136), let time = octal(136..<148) else {
            throw SetupError(.malformed, file, "the size of '\(name)' is no number")
        }
        self.init(path: name, size: size, time: time, kind: kind)
    }

    init(path: String, size: Int64, time: Int64, kind: Kind = .file) {
        self.path = path
        self.size = size
        self.time = time
        self.kind = kind
    }

    /// The headers of one file: one, or three blocks for a file that is too large for a plain one.
    static func blocks(path: String, size: Int64, time: Int64) -> [UInt8] {
        guard size > octalLimit else { return TarHeader(path: path, size: size, time: time).bytes }
        let body = extended(size)
        let first = TarHeader(path: "PaxHeaders/size", size: Int64(body.count), time: time, kind: .extended).bytes
        let zeros = [UInt8](repeating: 0, count: padding(Int64(body.count)))
        return first + body + zeros + TarHeader(path: path, size: 0, time: time).bytes
    }

    /// `LENGTH size=BYTES\n`, where LENGTH counts its own digits too.
    private static func extended(_ size: Int64) -> [UInt8] {
        let rest = " size=\(size)\n"
        var length = rest.utf8.count
        while "\(length)\(rest)".utf8.count != length { length = "\(length)\(rest)".utf8.count }
        return Array("\(length)\(rest)".utf8)
    }

    /// The size in an extended header's content; nil for anything else.
    static func size(inExtended body: [UInt8]) -> Int64? {
        guard let text = String(validating: body, as: UTF8.self), let equals = text.firstIndex(of: "="),
            let size = Int64(text[text.index(after: equals)...].dropLast()), size > octalLimit, extended(size) == body
        else { return nil }
        return size
    }
}
