import Alliance
import Foundation
import TestSupport
import Testing
import TransparencyLog

@testable import Store

@Suite("Store: documents")
struct DocumentTests {
    private let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    private func leftovers(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(folder)/incoming")
    }

    @Test("Stored whole, read in parts, under its digest")
    func whole() async throws {
        try await withFolder { folder in
            let documents = try DocumentFolder(folder: folder)
            let digest = try documents.store(bytes)
            #expect(digest == HashValue.sha256(bytes) && documents.holds(digest))
            #expect(try documents.store(bytes) == digest)
            #expect(try documents.read(digest, at: 0, count: 200_000) == bytes)
            #expect(try documents.read(digest, at: 99_990, count: 100) == Array(bytes.suffix(10)))
            #expect(try documents.read(digest, at: 1 << 40, count: 100).isEmpty)
            #expect(throws: StoreError.self) { try documents.read(.zero, at: 0, count: 1) }
            let empty = try documents.store([])
            #expect(documents.holds(empty))
            #expect(try leftovers(folder).isEmpty)
            let mode = try FileManager.default.attributesOfItem(atPath: documents.path(of: digest))[.posixPermissions]
            #expect((mode as? NSNumber)?.intValue == 0o600)
        }
    }

    @Test("Received in parts, also across a restart; only at the offset where it goes on")
    func resuming() async throws {
        try await withFolder { folder in
            let digest = HashValue.sha256(bytes)
            let size = Int64(bytes.count)
            let first = try DocumentFolder(folder: folder)
            try first.receive(Array(bytes[..<60_000]), of: digest, at: 0, size: size)
            let second = try DocumentFolder(folder: folder)
            #expect(second.received(digest) == 60_000 && !second.holds(digest))
            for offset in [0, 59_999, 60_001, -1] as [Int64] {
                let error = #expect(throws: StoreError.self) {
                    try second.receive([1], of: digest, at: offset, size: size)
                }
                #expect(error?.code == .moved)
            }
            let long = #expect(throws: StoreError.self) {
                try second.receive(bytes, of: digest, at: 60_000, size: size)
            }
            #expect(long?.code == .damaged && second.received(digest) == 60_000)
            try second.receive(Array(bytes[60_000...]), of: digest, at: 60_000, size: size)
            try second.finish(digest)
            #expect(try second.read(digest, at: 0, count: 200_000) == bytes)
            #expect(try leftovers(folder).isEmpty)
        }
    }

    @Test("Wrong bytes are refused and removed; nothing to finish is an error")
    func wrong() async throws {
        try await withFolder { folder in
            let documents = try DocumentFolder(folder: folder)
            let digest = HashValue.sha256(bytes)
            var flipped = bytes
            flipped[70_000] ^= 1
            try documents.receive(flipped, of: digest, at: 0, size: Int64(bytes.count))
            let error = #expect(throws: StoreError.self) { try documents.finish(digest) }
            #expect(error?.code == .damaged && !documents.holds(digest) && documents.received(digest) == 0)
            #expect(throws: StoreError.self) { try documents.finish(digest) }
            #expect(try leftovers(folder).isEmpty)
            #expect(throws: StoreError.self) {
                try documents.receive([1], of: digest, at: 0, size: DocumentFolder.sizeLimit + 1)
            }
        }
    }

    @Test("Of a document that came in pieces from several, nobody is blamed; then each is asked for all of it")
    func blame() async throws {
        try await withFolder { folder in
            let documents = try DocumentFolder(folder: folder)
            let (digest, size) = (HashValue.sha256(bytes), Int64(bytes.count))
            let half = bytes.count / 2
            // The first spoils its part and is slow; the second is asked for the rest.
            #expect(documents.resume(digest, from: "liar") == 0)
            try documents.receive(Array(repeating: 0, count: half), of: digest, at: 0, size: size, from: "liar")
            #expect(documents.resume(digest, from: "honest") == Int64(half))
            let late = #expect(throws: StoreError.self) {
                try documents.receive([0], of: digest, at: Int64(half), size: size, from: "liar")
            }
            #expect(late?.code == .moved)
            try documents.receive(Array(bytes[half...]), of: digest, at: Int64(half), size: size, from: "honest")
            let mixed = #expect(throws: StoreError.self) { try documents.finish(digest, from: "honest") }
            #expect(mixed?.code == .moved && documents.received(digest) == 0)
            // Once more: what each sends is kept apart, and what the other sends meanwhile takes nothing from it.
            #expect(documents.resume(digest, from: "liar") == 0)
            try documents.receive([0], of: digest, at: 0, size: size, from: "liar")
            #expect(documents.resume(digest, from: "honest") == 0)
            try documents.receive(Array(bytes[..<half]), of: digest, at: 0, size: size, from: "honest")
            #expect(documents.resume(digest, from: "liar") == 1)
            #expect(documents.resume(digest, from: "honest") == Int64(half), "one's own bytes are gone on with")
            try documents.receive(Array(bytes[half...]), of: digest, at: Int64(half), size: size, from: "honest")
            try documents.finish(digest, from: "honest")
            #expect(documents.holds(digest))
            #expect(try leftovers(folder).isEmpty)
            // Who sent all of it is to blame.
            let other = HashValue.sha256([1])
            #expect(documents.resume(other, from: "liar") == 0)
            try documents.receive([2], of: other, at: 0, size: 1, from: "liar")
            let wrong = #expect(throws: StoreError.self) { try documents.finish(other, from: "liar") }
            #expect(wrong?.code == .damaged)
        }
    }

    @Test("Staged as it comes; what is given up or left behind by a crash is removed")
    func staging() async throws {
        try await withFolder { folder in
            let documents = try DocumentFolder(folder: folder)
            for _ in 0..<2 {
                let staging = try documents.stage()
                try staging.append(Array(bytes[..<1]))
                try staging.append([])
                try staging.append(Array(bytes[1...]))
                let (digest, size) = try staging.finish()
                #expect(digest == HashValue.sha256(bytes) && size == 100_000 && documents.holds(digest))
            }
            do { try documents.stage().append([1]) }
            #expect(try leftovers(folder).isEmpty)
            let crashed = try documents.stage()
            try crashed.append([1])
            try documents.receive([7], of: .zero, at: 0, size: 10)
            #expect(try leftovers(folder).count == 2)
            let again = try DocumentFolder(folder: folder)
            // What came from a peer is kept to be resumed.
            #expect(try leftovers(folder) == [HashValue.zero.hex])
            again.discard(.zero)
            #expect(try leftovers(folder).isEmpty)
        }
    }

    @Test("What counted statements name is wanted until its bytes are here")
    func wanted() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            var entries: [[UInt8]] = []
            for text in ["one", "two"] {
                entries.append(
                    try log.context().document(
                        PolicyDocument(
                            work: "/akn/pk/act/2026/\(text)", language: "eng", date: "2026-11-21", title: text,
                            mediaType: "text/plain", size: 3, digest: HashValue.sha256(Array(text.utf8)),
                            relations: [], supersedes: [])
                    ).signed(by: TestAlliance.officer("ayesha")))
            }
            _ = try store.documents.store(Array("one".utf8))
            let outcome = try log.publish(entries)
            #expect(outcome.documents.count == 2)
            let result = try await store.follow(log, [Array(log.entries.dropLast(3)), Array(log.entries.suffix(3))])
            #expect(result.documents.map(\.title) == ["one", "two"])
            let two = HashValue.sha256(Array("two".utf8))
            #expect(try await store.wantedDocuments(limit: 10).map(\.digest) == [two])
            #expect(try await store.documentSize(two) == 3)
            #expect(try await store.documentSize(.zero) == nil)
            _ = try store.documents.store(Array("two".utf8))
            try await store.markHeld(two)
            #expect(try await store.wantedDocuments(limit: 10).isEmpty)
        }
    }
}
