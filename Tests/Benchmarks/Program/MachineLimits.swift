import Alliance
import Crypto
import Foundation
import GRDB
import Glibc
import TransparencyLog

/// What this machine could do at most, measured in this run: others may be using it too.
struct MachineLimits: Sendable {
    /// Ed25519 verifications of 800 bytes a second, on all cores.
    let verifications: Double
    /// Ed25519 signatures of 800 bytes a second, on all cores.
    let signatures: Double
    /// Microseconds of processor time that one verification takes.
    let verificationCost: Double
    /// Milliseconds of one sync of 4 kB appended to a file.
    let sync: Spread
    /// Milliseconds of a mutual TLS 1.3 handshake on loopback, connecting included.
    let connect: Double
    /// Milliseconds of a question and its answer of 256 bytes on an open TLS connection.
    let roundTrip: Double

    static func measure(_ work: Workplace, into report: Report) throws -> MachineLimits {
        let seconds = work.size.limitSeconds
        let cores = ProcessInfo.processInfo.activeProcessorCount
        func add(_ name: String, _ about: String, _ value: Double, _ unit: String, spread: Spread? = nil) {
            report.add(limit: Measurement(name: name, about: about, value: value, unit: unit, spread: spread))
        }
        let verifications = try verifications(cores, seconds: seconds)
        add("verify.one", "Ed25519 verify, one core", try Self.verifications(1, seconds: seconds), "/s")
        add("verify.all", "Ed25519 verify, \(cores) cores", verifications, "/s")
        let cost = try verificationCost(seconds: seconds)
        add("verify.processor", "Ed25519 verify, processor time", cost, "µs")
        let signatures = try signatures(cores, seconds: seconds)
        add("sign.one", "Ed25519 sign, one core", try Self.signatures(1, seconds: seconds), "/s")
        add("sign.all", "Ed25519 sign, \(cores) cores", signatures, "/s")
        if let (sign, verify) = try? openSSL() {
            add("openssl.verify.one", "Ed25519 verify, one core, OpenSSL", verify, "/s")
            add("openssl.sign.one", "Ed25519 sign, one core, OpenSSL", sign, "/s")
        }
        let (left, right) = (HashValue.sha256([1] as [UInt8]), HashValue.sha256([2] as [UInt8]))
        let nodes = rate(seconds: seconds / 2, batch: 1_000) { keep(MerkleTree.nodeHash(left, right)) }
        add("sha256.node", "SHA-256 of a 65-byte node", 1e6 / nodes, "µs")
        let object = Array(sampleObject.utf8)
        let parses = try rate(seconds: seconds / 2) { keep(try JSONValue.parse(object)) }
        add("json.own", "JSON of \(object.count) bytes, our parser", 1e6 / parses, "µs")
        let decoder = JSONDecoder()
        let decodes = try rate(seconds: seconds / 2) { keep(try decoder.decode(Sample.self, from: Data(object))) }
        add("json.foundation", "JSON of \(object.count) bytes, Foundation", 1e6 / decodes, "µs")
        let sync = try syncs(in: work.folder, seconds: seconds)
        add("fsync.median", "sync of 4 kB, median", sync.median, "ms", spread: sync)
        add("fsync.p99", "sync of 4 kB, p99", sync.p99, "ms")
        let (single, batched) = try database(in: work.folder, seconds: seconds)
        add("sqlite.single", "SQLite, WAL and FULL, commits of one row", single, "/s")
        add("sqlite.batched", "SQLite, WAL and FULL, rows in batches of 1,000", batched, "/s")
        let tls = try TLSLimits.measure(in: work.folder, seconds: seconds)
        add("tls.throughput", "TLS 1.3 on loopback", tls.throughput, "MB/s")
        add("tls.connect", "mutual TLS 1.3 connect, median", tls.connect.median, "ms", spread: tls.connect)
        add("tls.roundTrip", "round trip over TLS, median", tls.roundTrip.median, "ms", spread: tls.roundTrip)
        return MachineLimits(
            verifications: verifications, signatures: signatures, verificationCost: cost, sync: sync,
            connect: tls.connect.median,
            roundTrip: tls.roundTrip.median)
    }

    // MARK: Signatures

    /// As long as what is signed of a licence.
    private static let message = [UInt8](repeating: 0x61, count: 800)

    /// Ed25519 verifications a second on so many cores at once.
    static func verifications(_ cores: Int, seconds: Double) throws -> Double {
        try onThreads(cores) { _ in
            let key = Curve25519.Signing.PrivateKey()
            let signature = try key.signature(for: message)
            let publicKey = key.publicKey
            return rate(seconds: seconds) { keep(publicKey.isValidSignature(signature, for: message)) }
        }.reduce(0, +)
    }

    private static func verificationCost(seconds: Double) throws -> Double {
        let key = Curve25519.Signing.PrivateKey()
        let signature = try key.signature(for: message)
        let publicKey = key.publicKey
        return cost(seconds: seconds) { keep(publicKey.isValidSignature(signature, for: message)) }
    }

    private static func signatures(_ cores: Int, seconds: Double) throws -> Double {
        try onThreads(cores) { _ in
            let key = Curve25519.Signing.PrivateKey()
            return try rate(seconds: seconds) { keep(try key.signature(for: message)) }
        }.reduce(0, +)
    }

    /// What OpenSSL signs and verifies a second on one core.
    private static func openSSL() throws -> (sign: Double, verify: Double) {
        let text = try Command.run("/usr/bin/env", ["openssl", "speed", "-seconds", "1", "ed25519"])
        let numbers = text.split(separator: "\n").last.map { $0.split(separator: " ").compactMap { Double($0) } } ?? []
        guard numbers.count >= 2 else { throw BenchmarkError("openssl speed said: \(text)") }
        return (numbers[numbers.count - 2], numbers[numbers.count - 1])
    }

    // MARK: JSON

    private struct Sample: Decodable {
        let issuer: String
        let iat: Int
        let credentialSubject: [String: String]
    }

    private static let sampleObject: String = {
        let subject = (0..<10).map { "\"member\($0)\":\"\(String(repeating: "value ", count: 5))\($0)\"" }
        return "{\"issuer\":\"did:web:pk.alliance.example\",\"iat\":1763769600,"
            + "\"credentialSubject\":{\(subject.joined(separator: ","))}}"
    }()

    // MARK: Disk

    /// Milliseconds of appending 4 kB to a file and making them durable.
    static func syncs(in folder: String, seconds: Double) throws -> Spread {
        let path = "\(folder)/sync"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0 else { throw BenchmarkError("\(path) cannot be made") }
        defer {
            close(descriptor)
            unlink(path)
        }
        let page = [UInt8](repeating: 1, count: 4_096)
        var times: [Double] = []
        let watch = Stopwatch()
        while watch.seconds < seconds || times.count < 100 {
            let one = Stopwatch()
            guard write(descriptor, page, page.count) == page.count, fdatasync(descriptor) == 0 else {
                throw BenchmarkError("\(path) cannot be written")
            }
            times.append(one.milliseconds)
        }
        return Spread(times)
    }

    /// SQLite's rows of 700 bytes a second as the store uses it: one a commit, and 1,000 a commit.
    private static func database(in folder: String, seconds: Double) throws -> (single: Double, batched: Double) {
        let path = "\(folder)/limits.sqlite"
        defer { for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) } }
        var configuration = Configuration()
        configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA page_size = 16384") }
        let pool = try DatabasePool(path: path, configuration: configuration)
        defer { try? pool.close() }
        try pool.writeWithoutTransaction { db in
            try db.execute(
                sql: "PRAGMA synchronous = FULL; CREATE TABLE row(id INTEGER PRIMARY KEY, bytes BLOB) STRICT")
        }
        let row = Data(repeating: 1, count: 700)
        func insert(_ count: Int) throws {
            try pool.write { db in
                let statement = try db.cachedStatement(sql: "INSERT INTO row(bytes) VALUES (?)")
                for _ in 0..<count { try statement.execute(arguments: [row]) }
            }
        }
        let single = try rate(seconds: seconds, batch: 10) { try insert(1) }
        let batched = try rate(seconds: seconds, batch: 1) { try insert(1_000) } * 1_000
        return (single, batched)
    }
}

/// Keeps the optimiser from leaving out what gave a value.
@inline(never)
func keep<Value>(_ value: Value) {}
