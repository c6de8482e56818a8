/// Takes newline-terminated lines off the front of some bytes.
///
/// Works on bytes: to Swift, "\r\n" is one character and a line split at "\n" would keep it.
struct LineReader {
    /// What has not been read yet.
    private(set) var rest: ArraySlice<UInt8>
    /// The number of lines read, for places in errors.
    private(set) var count = 0

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    /// The next line without its newline, or nil if no terminated line is left.
    mutating func next() -> ArraySlice<UInt8>? {
        guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = rest[..<end]
        rest = rest[(end + 1)...]
        count += 1
        return line
    }

    /// "line N", of the line last read.
    var place: String {
        "line \(count)"
    }
}

extension ArraySlice<UInt8> {
    /// What follows a prefix of ASCII characters, or nil if the prefix is not there.
    func dropping(prefix: StaticString) -> ArraySlice<UInt8>? {
        let length = prefix.utf8CodeUnitCount
        guard count >= length else { return nil }
        let matches = prefix.withUTF8Buffer { buffer in self[startIndex..<startIndex + length].elementsEqual(buffer) }
        return matches ? self[(startIndex + length)...] : nil
    }
}
