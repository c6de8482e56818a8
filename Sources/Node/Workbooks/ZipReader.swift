import Alliance

/// Reads the members of a ZIP archive (PKWARE APPNOTE 6.3) as Office programs write them, and refuses all else: archives in
/// several parts, encrypted or beyond 4 GiB, other methods than stored and deflated.
///
/// The directory at the end decides what there is; a member is read only when it is asked for, to at most
/// ``WorkbookLimits/partBytes``, and its length and checksum must be those that the directory names. So neither members that
/// overlap nor those that grow a thousandfold cost more than that.
struct ZipReader {
    private struct Member {
        let method: UInt16
        let checksum: UInt32
        let packed: Int
        let size: Int
        let offset: Int
    }

    private let bytes: [UInt8]
    private var members: [String: Member] = [:]
    private let directory: Range<Int>

    private static let endSize = 22
    private static let entrySize = 46
    private static let headerSize = 30

    /// Reads the directory.
    ///
    /// - Throws: ``ImportError`` with code `workbook`.
    init(_ bytes: [UInt8]) throws(ImportError) {
        self.bytes = bytes
        let end = try Self.end(of: bytes)
        let fields = FieldReader(bytes, at: end)
        let (disk, start, here, count) = (fields.two(4), fields.two(6), fields.two(8), fields.two(10))
        let (size, offset) = (fields.four(12), fields.four(16))
        guard disk == 0, start == 0, here == count, count != 0xFFFF, offset != 0xFFFF_FFFF else {
            throw Self.wrong("the archive is in several parts, or larger than 4 GiB")
        }
        guard count <= WorkbookLimits.parts else { throw Self.wrong("it has more than \(WorkbookLimits.parts) parts") }
        guard offset + size <= end else { throw Self.wrong("its directory is not where it says: the file is damaged") }
        directory = offset..<offset + size
        var position = offset
        for _ in 0..<count { try readEntry(at: &position) }
        guard position == directory.upperBound else { throw Self.wrong("its directory has more than it says") }
    }

    /// Where the end record is: the last one whose comment reaches to the file's end.
    private static func end(of bytes: [UInt8]) throws(ImportError) -> Int {
        let last = bytes.count - endSize
        guard last >= 0 else { throw wrong("it is cut off") }
        for position in stride(from: last, through: max(0, last - 0xFFFF), by: -1)
        where bytes[position] == 0x50 && bytes[position..<position + 4].elementsEqual([0x50, 0x4B, 0x05, 0x06])
            && FieldReader(bytes, at: position).two(20) == last - position
        {
            return position
        }
        throw wrong("it is cut off, or no archive")
    }

    private mutating func readEntry(at position: inout Int) throws(ImportError) {
        let fields = FieldReader(bytes, at: position)
        guard position + Self.entrySize <= directory.upperBound, fields.four(0) == 0x0201_4B50 else {
            throw Self.wrong("its directory is damaged")
        }
        let (flags, method) = (fields.two(8), fields.two(10))
        let (nameSize, extra, comment) = (fields.two(28), fields.two(30), fields.two(32))
        let nameStart = position + Self.entrySize
        let next = nameStart + nameSize + extra + comment
        guard next <= directory.upperBound,
            let name = String(validating: bytes[nameStart..<nameStart + nameSize], as: UTF8.self)
        else { throw Self.wrong("its directory is damaged") }
        guard flags & 0x2041 == 0 else { throw Self.wrong("it is encrypted: save it without a password") }
        let member = Member(
            method: UInt16(method), checksum: UInt32(fields.four(16)), packed: fields.four(20), size: fields.four(24),
            offset: fields.four(42))
        guard members.updateValue(member, forKey: name) == nil else { throw Self.wrong("it has two parts \(name)") }
        position = next
    }

    /// Whether there is a member of that name.
    func has(_ name: String) -> Bool { members[name] != nil }

    /// A member's content.
    ///
    /// - Throws: ``ImportError`` with code `workbook` where there is none, it is damaged, or longer than allowed.
    func read(_ name: String) throws(ImportError) -> [UInt8] {
        guard let member = members[name] else { throw Self.wrong("it has no part \(name)") }
        guard member.size <= WorkbookLimits.partBytes else {
            throw Self.wrong("its part \(name) is larger than \(WorkbookLimits.partBytes >> 20) MiB")
        }
        let fields = FieldReader(bytes, at: member.offset)
        guard member.offset + Self.headerSize <= directory.lowerBound, fields.four(0) == 0x0403_4B50 else {
            throw Self.wrong("its part \(name) is not where it says: the file is damaged")
        }
        let nameStart = member.offset + Self.headerSize
        let start = nameStart + fields.two(26) + fields.two(28)
        guard start + member.packed <= directory.lowerBound,
            bytes[nameStart..<nameStart + fields.two(26)].elementsEqual(name.utf8)
        else { throw Self.wrong("its part \(name) is not where it says: the file is damaged") }
        let packed = bytes[start..<start + member.packed]
        let content: [UInt8]?
        switch member.method {
        case 0:
            content =
                member.packed == member.size && CRC32.checksum(of: packed) == member.checksum ? Array(packed) : nil
        case 8: content = Inflation.inflate(packed, size: member.size, checksum: member.checksum)
        default: throw Self.wrong("its part \(name) is packed by a method that is not read here")
        }
        guard let content else { throw Self.wrong("its part \(name) is damaged") }
        return content
    }

    static func wrong(_ reason: String) -> ImportError {
        ImportError(.workbook, "no workbook that can be read: \(reason)")
    }
}

/// Little-endian numbers at offsets from a place; 0 behind the end, where every use compares bounds besides.
private struct FieldReader {
    let bytes: [UInt8]
    let place: Int

    init(_ bytes: [UInt8], at place: Int) {
        self.bytes = bytes
        self.place = place
    }

    func two(_ offset: Int) -> Int { byte(offset) | byte(offset + 1) << 8 }
    func four(_ offset: Int) -> Int { two(offset) | two(offset + 2) << 16 }
    private func byte(_ offset: Int) -> Int {
        let index = place + offset
        return index < bytes.count ? Int(bytes[index]) : 0
    }
}

/// Limits on workbooks from outside.
public enum WorkbookLimits {
    /// Parts of a workbook's archive.
    public static let parts = 4_096
    /// Bytes of one part once it is inflated.
    public static let partBytes = 256 << 20
    /// Sheets.
    public static let sheets = 256
    /// Different texts and formats that cells refer to.
    public static let shared = 4_000_000
    /// Elements inside one another.
    public static let depth = 64
}
