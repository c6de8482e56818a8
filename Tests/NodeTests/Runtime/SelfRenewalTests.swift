import Alliance
import Crypto
import Foundation
import SwiftASN1
import TestSupport
import Testing

@testable import Node

/// A node that renews its certificate by itself, in time that the test sets.
@Suite("Renewal by the node itself", .timeLimit(.minutes(2)))
struct SelfRenewalTests {
    private static let day: Int64 = 86_400

    /// A node's folder, its watch, and its clock.
    private struct Bench: Sendable {
        let member: TestMember
        let settings: NodeSettings
        let watch: CertificateWatch
        let tls: TLSIdentity
        let trust: TrustStore
        let log = RecordingLog()
        let audit: AuditFile
        let time: Mutexed<Int64>
        let start: Int64

        /// - Parameter renews: whether the authority's key is in the node's reach.
        init(folder: String, renews: Bool = true) throws {
            let start: Int64 = 1_790_000_000
            self.start = start
            member = try TestMember("pk", now: start)
            let time = Mutexed(start)
            self.time = time
            var settings = NodeSettings(data: folder, member: "pk")
            if renews { settings.authorityKey = "\(folder)/authority.key" }
            self.settings = settings
            for path in [settings.keysFolder, "\(folder)/tls"] { try Folders.make(path) }
            try Self.put(.p256(member.nodeKey), settings.nodeKeyPath)
            try Self.put(.p256(member.authorityKey), "\(folder)/authority.key")
            try PlainFile.write(Array(member.leaf.pem.utf8), to: settings.certificatePath)
            try PlainFile.write(Array(member.authority.certificate.pem.utf8), to: settings.authorityPath)
            trust = TrustStore(try PeerTrust(members: [member.trusted()]), clock: { time.withLock { $0 } })
            tls = try TLSIdentity(member.material)
            audit = try AuditFile(path: settings.auditPath, logger: log.logger, now: { time.withLock { $0 } })
            watch = CertificateWatch(
                settings: settings, passphrase: try Self.passphrase, member: member.id,
                files: try CertificateFiles(settings), tls: tls, trust: trust, logger: log.logger, audit: audit)
        }

        static var passphrase: Passphrase { get throws { try Passphrase(Array("correct horse".utf8)) } }

        /// Writes a key that is cheap to unlock.
        static func put(_ key: PrivateKey, _ path: String) throws {
            let cheap = try #require(ScryptParameters(cost: 1_024, blockSize: 8, parallelism: 1))
            let der = try EncryptedPKCS8.seal(key.pkcs8, passphrase: passphrase, parameters: cheap)
            let pem = PEMDocument(type: EncryptedPKCS8.pemType, derBytes: der).pemString + "\n"
            try PrivateFile.write(Array(pem.utf8), to: path, mode: 0o600, overwrite: true)
        }

        func set(day: Int64, seconds: Int64 = 0) { time.withLock { $0 = start + day * 86_400 + seconds } }

        var onDisk: PeerCertificate { get throws { try CertificateRenewal.read(settings.certificatePath) } }

        var audited: [String] {
            let lines = FileManager.default.contents(atPath: settings.auditPath).map { [UInt8]($0) } ?? []
            return lines.split(separator: 0x0A).compactMap { try? AuditRecord(parsing: Array($0), place: "").text }
        }
    }

    @Test("It renews in the last third, in one step, with the same key, on record; then there is nothing to do")
    func renews() async throws {
        try await withFolder { folder in
            let bench = try Bench(folder: folder)
            for day in [0, 59] as [Int64] {
                bench.set(day: day)
                #expect(await bench.watch.renew() == .unchanged)
            }
            bench.set(day: 61)
            #expect(await bench.watch.renew() == .replaced)
            let leaf = bench.tls.material.leaf
            #expect(
                leaf.notAfter == bench.start + (61 + 90) * Self.day && leaf.keyDigest == bench.member.leaf.keyDigest)
            #expect(leaf.uris == [bench.member.id])
            #expect(try bench.onDisk == leaf)
            #expect(bench.log.lines.contains("notice this node renewed its certificate by itself"))
            #expect(bench.audited.first?.hasPrefix("the node renewed its certificate by itself") == true)
            #expect(bench.audited.count == 2, "renewed, and in use")
            #expect(await bench.watch.renew(isAsked: true) == .unchanged)
            // Long after its end, too.
            bench.set(day: 1_000)
            #expect(await bench.watch.renew() == .replaced)
            #expect(bench.tls.material.leaf.notAfter == bench.start + 1_090 * Self.day)
        }
    }

    @Test("Without the setting the node only warns")
    func off() async throws {
        try await withFolder { folder in
            let bench = try Bench(folder: folder, renews: false)
            bench.set(day: 80)
            #expect(await bench.watch.renew(isAsked: true) == .unchanged)
            #expect(try bench.onDisk == bench.member.leaf)
            await bench.watch.look()
            #expect(bench.log.take().first?.hasPrefix("warning this node's certificate ends soon") == true)
        }
    }

    @Test("A failure is a warning and leaves the old one in use; the next try is an hour later, or when asked")
    func fails() async throws {
        try await withFolder { folder in
            let bench = try Bench(folder: folder)
            let key = "\(folder)/authority.key"
            try Bench.put(.p256(P256.Signing.PrivateKey()), key)
            bench.set(day: 70)
            func tries(_ isAsked: Bool = false) async -> Bool {
                await bench.watch.renew(isAsked: isAsked) != .unchanged
            }
            #expect(await tries())
            let line = try #require(bench.log.take().first)
            #expect(
                line.hasPrefix("warning this node could not renew") && line.hasSuffix("key of this node's authority"))
            #expect(bench.audited.count == 1)
            var waited: [Int64] = []
            var last: Int64 = 0
            for minute in Int64(1)..<24 * 60 {
                bench.set(day: 70, seconds: minute * 60)
                if await tries() { (waited, last) = (waited + [minute - last], minute) }
            }
            #expect(waited == [60, 120, 240, 360, 360])
            #expect(await tries(true), "the operator asks")
            #expect(bench.tls.material.leaf == bench.member.leaf)
            #expect(try bench.onDisk == bench.member.leaf)
            unlink(key)
            #expect(await tries(true))
            #expect(bench.log.take().last?.contains("authority.key") == true)
            try Bench.put(.p256(bench.member.authorityKey), key)
            #expect(await bench.watch.renew(isAsked: true) == .replaced)
        }
    }

    @Test("What peers would refuse is not written, nor what an operator put there written over")
    func judges() async throws {
        try await withFolder { folder in
            let bench = try Bench(folder: folder)
            bench.set(day: 70)
            bench.trust.update(.empty)
            guard case .refused(let reason) = await bench.watch.renew() else { throw NodeError("not refused") }
            #expect(reason.contains("unknownAuthority"))
            #expect(try bench.onDisk == bench.member.leaf)
            bench.trust.update(try PeerTrust(members: [bench.member.trusted()]))
            let other = try TestMember("sv", now: bench.start)
            try PlainFile.write(Array(other.leaf.pem.utf8), to: bench.settings.certificatePath, overwrite: true)
            await bench.watch.look()
            guard case .refused = await bench.watch.renew(isAsked: true) else { throw NodeError("not refused") }
            #expect(try bench.onDisk == other.leaf)
            #expect(bench.tls.material.leaf == bench.member.leaf)
        }
    }

    @Test("A certificate that was issued while the clock was ahead is issued anew once it is right")
    func clockAhead() async throws {
        try await withFolder { folder in
            let bench = try Bench(folder: folder)
            bench.set(day: 400)
            #expect(await bench.watch.renew() == .replaced)
            bench.set(day: 70)
            #expect(await bench.watch.renew() == .replaced)
            #expect(bench.tls.material.leaf.notAfter == bench.start + 160 * Self.day)
        }
    }

    @Test("An authority that is about to end issues nothing that ends no later")
    func authorityEnds() async throws {
        try await withFolder { folder in
            let bench = try Bench(folder: folder)
            bench.set(day: 3_640)
            #expect(await bench.watch.renew() == .replaced)
            #expect(bench.tls.material.leaf.notAfter == bench.member.authority.certificate.notAfter)
            bench.set(day: 3_650)
            guard case .refused(let reason) = await bench.watch.renew() else { throw NodeError("not refused") }
            #expect(reason.contains("new authority"))
        }
    }
}
