import Foundation
import Testing
import TransparencyLog

@testable import Node

/// The archive itself; what restoring makes of it is tested with real nodes.
@Suite("Backup: archives")
struct TarTests {
    private func archive(_ folder: String, _ body: (inout TarWriter) throws -> Void) throws -> String {
        let path = "\(folder)/a.tar"
        unlink(path)
        var writer = TarWriter(try OutputFile(path), time: 1_790_000_000)
        try body(&writer)
        try writer.finish()
        #expect(FileFacts.size(path) == writer.size)
        return path
    }

    private func contents(_ path: String) throws -> [String: [UInt8]] {
        var (reader, found) = (try TarReader(path), [String: [UInt8]]())
        while let (name, size) = try reader.next() {
            var bytes: [UInt8] = []
            while let piece = try reader.piece() { bytes += piece }
            #expect(Int64(bytes.count) == size)
            found[name] = bytes
        }
        return found
    }

    @Test("What is written is read, at every size around a block and a piece")
    func roundTrip() async throws {
        try await withFolder { folder in
            let sizes = [0, 1, 511, 512, 513, 1_023, 262_143, 262_144, 262_145, 700_001]
            let bytes = (0..<700_001).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try PlainFile.write(bytes, to: "\(folder)/source")
            let path = try archive(folder) { writer in
                for size in sizes {
                    try writer.add("small/\(size)", Array(bytes.prefix(size)))
                    var told: Int64 = 0
                    let digest = try writer.add("tls/\(size)", from: "\(folder)/source", size: Int64(size)) {
                        told += $0
                    }
                    #expect(digest == HashValue.sha256(Array(bytes.prefix(size))) && told == Int64(size))
                }
                #expect(throws: SetupError.self) {
                    try writer.add("x", from: "\(folder)/source", size: 700_002) { _ in }
                }
            }
            // The last one was not whole: what follows it stands where its bytes are due.
            #expect(throws: SetupError.self) { try contents(path) }
            let good = try archive(folder) { writer in
                for size in sizes { try writer.add("small/\(size)", Array(bytes.prefix(size))) }
            }
            let found = try contents(good)
            #expect(found.count == sizes.count)
            for size in sizes { #expect(found["small/\(size)"] == Array(bytes.prefix(size))) }
        }
    }

    @Test("Files of 8 GiB and more have an extended header, which is read exactly")
    func large() async throws {
        let limit = TarHeader.octalLimit
        #expect(TarHeader.blocks(path: "a", size: limit, time: 0).count == 512)
        #expect(try TarHeader(TarHeader.blocks(path: "a", size: limit, time: 7), file: "x").size == limit)
        for size in [limit + 1, 10_000_000_000, 99_999_999_999, 1 << 50] {
            let blocks = TarHeader.blocks(path: "entente.sqlite", size: size, time: 7)
            #expect(blocks.count == 3 * 512)
            try await withFolder { folder in
                try PlainFile.write(blocks, to: "\(folder)/a.tar")
                var reader = try TarReader("\(folder)/a.tar")
                let file = try #require(try reader.next())
                #expect(file.path == "entente.sqlite" && file.size == size)
                // GNU tar agrees, and complains of the end alone.
                let listed = try list("\(folder)/a.tar")
                #expect(listed.contains("entente.sqlite") && listed.contains("\(size)"))
            }
        }
        for body in [
            "18 size=8589934592", "20 size=8589934592\n", "10 size=12\n", "9 path=a\n", "", "x", "20 size=-858993459\n",
        ] {
            #expect(TarHeader.size(inExtended: Array(body.utf8)) == nil, "\(body)")
        }
    }

    private func list(_ path: String) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["tar", "tvf", path]
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }

    @Test("A header with any bit turned is refused, or means the same")
    func damagedHeaders() throws {
        let header = TarHeader(path: "tls/node.pem", size: 1_234, time: 1_790_000_000)
        let good = header.bytes
        #expect(try TarHeader(good, file: "x") == header)
        for position in good.indices {
            for bit in 0..<8 {
                var bad = good
                bad[position] ^= 1 << bit
                if let read = try? TarHeader(bad, file: "x") { #expect(read == header, "byte \(position), bit \(bit)") }
            }
        }
    }

    @Test("Only paths of a node's folder")
    func paths() {
        let digest = HashValue.sha256([]).hex
        for path in ["config.json", "charters/2.charter", "tls/node.pem", "keys/node1-b.key", "documents/e3/\(digest)"]
        {
            #expect(BackupManifest.isAllowed(path), "\(path)")
        }
        for path in [
            "", ".", "..", "/charter", "charter/", "./charter", "tls", "tls/", "tls/.", "tls/..", "tls/.x", "tls/a/b",
            "tls//a",
            "tls/a b", "tls/a\u{0}", "tls/é", "documents/e4/\(digest)", "documents/e3/\(digest.uppercased())",
            "documents/incoming/\(digest)", "documents/e3/x", "lock", "control.sock", "manifest.json",
            "entente.sqlite-wal",
        ] {
            #expect(!BackupManifest.isAllowed(path), "\(path)")
        }
    }
}
