import Foundation
import FuzzTargets
import Replication
import TestSupport
import Testing

@testable import Node

@Suite("Bad input from peers and operators: every file is refused for its own reason", .timeLimit(.minutes(2)))
struct BadInputTests {
    typealias Outcome = BadInput.Outcome

    private func check(_ folder: String, _ read: ([UInt8]) async throws -> Outcome) async throws {
        for one in try BadInput.cases(of: folder) {
            let outcome = try await read(one.bytes)
            #expect(outcome.fulfils(one.expected), "\(folder)/\(one.name): \(outcome), not \(one.expected)")
        }
    }

    private static func outcome(_ body: () throws -> Void) -> Outcome {
        do { try body() } catch let error as Rejection {
            return Outcome(code: error.reason.rawValue, place: error.origin, reason: error.detail)
        } catch let error as SetupError {
            return Outcome(code: error.code.rawValue, place: error.place, reason: error.reason)
        } catch let error as SettingsError {
            return Outcome(code: error.code.rawValue, place: error.place, reason: error.reason)
        } catch let error as PeerRejection {
            return Outcome(code: error.rawValue)
        } catch {
            return Outcome(code: "\(type(of: error))", reason: "\(error)")
        }
        return .accepted
    }

    /// What a decoder says of a stream that comes in pieces of a size; one that ends within a frame is cut.
    private static func stream(_ bytes: [UInt8], pieces size: Int) -> Outcome {
        var decoder = FrameDecoder()
        let outcome = outcome {
            for start in stride(from: 0, to: bytes.count, by: size) {
                decoder.append(bytes[start..<min(start + size, bytes.count)])
                while try decoder.next() != nil {}
            }
        }
        return outcome == .accepted && !decoder.isAtBoundary ? Outcome(code: "cut") : outcome
    }

    @Test("Frames, at once and in pieces")
    func frames() async throws {
        try await check("frames") { bytes in
            let whole = Self.stream(bytes, pieces: max(bytes.count, 1))
            for size in [1, 2, 7] { #expect(Self.stream(bytes, pieces: size) == whole) }
            return whole
        }
        for one in try BadInput.cases(of: "frames")
        where one.expected.code == nil && one.name != "good-unknown-type-between" {
            for count in 1..<one.bytes.count {
                #expect(
                    Self.stream(Array(one.bytes[..<count]), pieces: count).code == "cut", "\(one.name) cut to \(count)")
            }
        }
    }

    @Test("Ranges")
    func ranges() async throws {
        try await check("ranges") { bytes in Self.outcome { _ = try RangeAnswer(decoding: bytes) } }
        for one in try BadInput.cases(of: "ranges") where one.expected.code == nil {
            for count in 0..<one.bytes.count {
                #expect(throws: Rejection.self) { try RangeAnswer(decoding: Array(one.bytes[..<count])) }
            }
        }
    }

    @Test("Certificates")
    func certificates() async throws {
        try await check("certificates") { bytes in Self.outcome { _ = try PeerCertificate(der: bytes) } }
        for one in try BadInput.cases(of: "certificates") where one.expected.code == nil {
            for count in 0..<one.bytes.count {
                #expect(throws: PeerRejection.self) { try PeerCertificate(der: Array(one.bytes[..<count])) }
            }
        }
    }

    @Test("Configuration")
    func configuration() async throws {
        let loader = SettingsLoader(flags: [:], environment: [:], currentFolder: "/")
        try await check("config") { bytes in
            let found = Self.outcome { _ = try loader.read(bytes, data: "/n") }
            // The path is that of the test; the manifest has the file's name.
            return Outcome(code: found.code, place: found.place.replacing("/n/", with: ""), reason: found.reason)
        }
    }

    @Test("Plans and key files")
    func plans() async throws {
        try await check("plans") { bytes in Self.outcome { _ = try Plan(parsing: bytes, file: "x.plan") } }
        try await check("public-keys") { bytes in
            Self.outcome { _ = try PublicKeyFile(parsing: bytes, file: "x.pub") }
        }
        try await check("member-files") { bytes in
            Self.outcome { _ = try MemberFile(parsing: bytes, file: "x.member") }
        }
    }

    @Test("What fuzzing demands holds of the whole corpus and of every crash that was found", arguments: FuzzTarget.all)
    func properties(target: FuzzTarget) throws {
        for folder in target.seeds {
            for one in try BadInput.cases(of: folder) { target.run(one.bytes) }
        }
        let crashes = BadInput.tests.appendingPathComponent("Fuzz/crashes/\(target.name)")
        guard FileManager.default.fileExists(atPath: crashes.path) else { return }
        for name in try FileManager.default.contentsOfDirectory(atPath: crashes.path) {
            target.run([UInt8](try Data(contentsOf: crashes.appendingPathComponent(name))))
        }
    }

    @Test("No folder is left out")
    func complete() throws {
        let here: Set = [
            "frames", "ranges", "certificates", "config", "plans", "public-keys", "member-files", "local-requests",
        ]
        let elsewhere: Set = [
            "notes", "checkpoints", "cosignatures", "keys", "tlog-proofs", "witness-requests", "map-proofs",
            "tile-paths", "entry-bundles", "policies", "state-leaves", "json", "statements", "rosters", "charters",
            "definitions", "proof-files", "csv-own", "csv-esma", "csv-numbers",
        ]
        #expect(try BadInput.folders() == here.union(elsewhere))
    }
}
