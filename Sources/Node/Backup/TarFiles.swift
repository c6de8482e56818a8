import Crypto
import TransparencyLog

/// Writes an archive file by file. Nothing is held in memory but the piece at hand.
struct TarWriter {
    private let file: OutputFile
    private let time: Int64
    private(set) var size: Int64 = 0

    /// - Parameter time: of every file in it, in seconds since 1970.
    init(_ file: OutputFile, time: Int64) {
        self.file = file
        self.time = time
    }

    /// Adds a small file.
    mutating func add(_ path: String, _ bytes: [UInt8]) throws(SetupError) {
        try begin(path, size: Int64(bytes.count))
        try write(bytes)
        try pad(Int64(bytes.count))
    }

    /// Adds so many bytes of a file on disk.
    ///
    /// - Returns: the digest of what was written.
    mutating func add(
        _ path: String, from source: String, size: Int64, _ progress: (Int64) -> Void
    ) throws(SetupError) -> HashValue {
        try begin(path, size: size)
        var hash = SHA256()
        try FilePieces.read(source, size: size) { (piece: [UInt8]) throws(SetupError) in
            hash.update(data: piece)
            try write(piece)
            progress(Int64(piece.count))
        }
        try pad(size)
        return HashValue(hash.finalize()) ?? .zero
    }

    /// Writes the end: two blocks of zeros.
    mutating func finish() throws(SetupError) {
        try write([UInt8](repeating: 0, count: 2 * TarHeader.block))
        try file.sync()
    }

    private mutating func begin(_ path: String, size: Int64) throws(SetupError) {
        try write(TarHeader.blocks(path: path, size: size, time: time))
    }

    private mutating func pad(_ size: Int64) throws(SetupError) {
        try write([UInt8](repeating: 0, count: TarHeader.padding(size)))
    }

    private mutating func write(_ bytes: [UInt8]) throws(SetupError) {
        try file.write(bytes)
        size += Int64(bytes.count)
    }
}

/// Files on disk, piece by piece.
enum FilePieces {
    /// Reads the first `size` bytes.
    ///
    /// - Throws: ``SetupError``; code `unreadable` if there are fewer.
    static func read(
        _ path: String, size: Int64, _ body: ([UInt8]) throws(SetupError) -> Void
    ) throws(SetupError) {
        let reader = try DocumentFile.Reader(path)
        var left = size
        while left > 0 {
            guard let piece = try reader.next() else {
                throw SetupError(.unreadable, path, "the file became shorter while it was read; try again")
            }
            let part = Int64(piece.count) > left ? Array(piece.prefix(Int(left))) : piece
            try body(part)
            left -= Int64(part.count)
        }
    }
}

/// Reads an archive from its beginning to its end.
struct TarReader {
    let file: String
    private let reader: DocumentFile.Reader
    private var buffer: ArraySlice<UInt8> = []
    /// Bytes of the file at hand that were not read yet, and zeros behind it.
    private var left: Int64 = 0
    private var zeros = 0

    /// - Throws: ``SetupError`` where there is no such file.
    init(_ path: String) throws(SetupError) {
        file = path
        reader = try DocumentFile.Reader(path)
    }

    /// Goes to the next file; nil at the end, which has been checked then. The one before was read whole.
    mutating func next() throws(SetupError) -> (path: String, size: Int64)? {
        precondition(left == 0)
        guard try exactly(zeros).allSatisfy({ $0 == 0 }) else { throw error("bytes stand between two files") }
        zeros = 0
        let block = try exactly(TarHeader.block)
        if block.allSatisfy({ $0 == 0 }) {
            try checkEnd()
            return nil
        }
        var header = try TarHeader(block, file: file)
        if header.kind == .extended {
            guard header.size <= 256 else { throw error("it has an extended header that no backup has") }
            guard let size = TarHeader.size(inExtended: try exactly(Int(header.size))) else {
                throw error("it has an extended header that no backup has")
            }
            _ = try exactly(TarHeader.padding(header.size))
            header = try TarHeader(try exactly(TarHeader.block), file: file)
            guard header.kind == .file else { throw error("it has an extended header that no backup has") }
            header.size = size
        }
        left = header.size
        zeros = TarHeader.padding(header.size)
        return (header.path, header.size)
    }

    /// The next piece of the file at hand; nil at its end.
    mutating func piece() throws(SetupError) -> [UInt8]? {
        guard left > 0 else { return nil }
        if buffer.isEmpty { try fill() }
        let part = buffer.prefix(Int(min(left, 1 << 20)))
        buffer = buffer.dropFirst(part.count)
        left -= Int64(part.count)
        return Array(part)
    }

    private mutating func checkEnd() throws(SetupError) {
        guard try exactly(TarHeader.block).allSatisfy({ $0 == 0 }) else { throw error("its end is damaged") }
        // Other tools fill their last record, of 20 blocks, with zeros.
        var more = 0
        while true {
            if buffer.isEmpty { buffer = try reader.next().map { $0[...] } ?? [] }
            if buffer.isEmpty { return }
            more += buffer.count
            guard buffer.allSatisfy({ $0 == 0 }), more <= 20 * TarHeader.block else {
                throw error("something stands behind its end")
            }
            buffer = []
        }
    }

    private mutating func exactly(_ count: Int) throws(SetupError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            if buffer.isEmpty { try fill() }
            let part = buffer.prefix(count - bytes.count)
            bytes += part
            buffer = buffer.dropFirst(part.count)
        }
        return bytes
    }

    private mutating func fill() throws(SetupError) {
        guard let bytes = try reader.next() else { throw error("it ends too early: it is not the whole backup") }
        buffer = bytes[...]
    }

    func error(_ reason: String) -> SetupError { SetupError(.malformed, file, reason) }
}
