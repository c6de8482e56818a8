import Foundation
import Hummingbird
import NIOCore
import Testing

@testable import Node

@Suite(.timeLimit(.minutes(2))) struct LocalSocketTests {
    @Test func answersOverTheSocket() async throws {
        try await withFolder { folder in
            let path = "\(folder)/run/control.sock"
            try await Self.withLocalListener(path) {
                #expect(try mode(of: path) == 0o600)
                #expect(try mode(of: "\(folder)/run") == 0o700)
                let client = LocalClient(path: path, logger: quiet)
                #expect(String(buffer: try await client.get("/hello?x=1").collect(upTo: 100)) == "hello")
                let echoed = try await client.post("/echo", body: .bytes(Array("back".utf8)))
                #expect(String(buffer: try await echoed.collect(upTo: 100)) == "back")
                await client.shutdown()
            }
            #expect(!FileManager.default.fileExists(atPath: path))
            let client = LocalClient(path: path, logger: quiet)
            let error = await #expect(throws: PeerClientError.self) { try await client.get("/hello") }
            #expect(error?.code == .connect)
            #expect(error?.description.contains("entente run") == true)
            await client.shutdown()
        }
    }

    @Test func aSecondNodeIsRefused() async throws {
        try await withFolder { folder in
            let path = "\(folder)/control.sock"
            try await Self.withLocalListener(path) {
                let error = await #expect(throws: TransportError.self) { try await Self.listener(path) {}.run() }
                #expect(error?.code == .alreadyRunning)
                // The first one still answers.
                let client = LocalClient(path: path, logger: quiet)
                let status = try await client.get("/hello").status
                #expect(status == .ok)
                await client.shutdown()
            }
        }
    }

    @Test func aForeignListenerIsLeftAlone() async throws {
        try await withFolder { folder in
            let path = "\(folder)/control.sock"
            let descriptor = try Self.bound(path)
            listen(descriptor, 1)
            let error = await #expect(throws: TransportError.self) { try await Self.listener(path) {}.run() }
            #expect(error?.code == .alreadyRunning)
            #expect(FileManager.default.fileExists(atPath: path))
            close(descriptor)
        }
    }

    @Test func aStaleSocketIsReplaced() async throws {
        try await withFolder { folder in
            let path = "\(folder)/control.sock"
            close(try Self.bound(path))
            #expect(FileManager.default.fileExists(atPath: path))
            try await Self.withLocalListener(path) {
                let client = LocalClient(path: path, logger: quiet)
                let status = try await client.get("/hello").status
                #expect(status == .ok)
                await client.shutdown()
            }
        }
    }

    @Test func unsafePlacesAreRefused() async throws {
        try await withFolder { folder in
            let path = "\(folder)/control.sock"
            try Data("a file".utf8).write(to: URL(filePath: path))
            try await Self.expectUnsafe(path)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "a file")
            chmod(folder, 0o755)
            try await Self.expectUnsafe("\(folder)/other.sock")
            chmod(folder, 0o700)
            try await Self.expectUnsafe("\(folder)/none/other.sock/x")
            try await Self.expectUnsafe("\(folder)/\(String(repeating: "x", count: 100)).sock")
        }
    }

    private static func expectUnsafe(_ path: String) async throws {
        let error = await #expect(throws: TransportError.self) { try await Self.listener(path) {}.run() }
        #expect(error?.code == .unsafePath)
    }

    private static func listener(
        _ path: String, _ onListening: @escaping @Sendable () async -> Void
    ) -> LocalListener<RouterResponder<BasicRequestContext>> {
        let router = Router()
        router.get("hello") { _, _ in "hello" }
        router.post("echo") { request, _ in try await request.body.collect(upTo: 1000) }
        return LocalListener(responder: router.buildResponder(), path: path, logger: quiet, onListening: onListening)
    }

    private static func withLocalListener(
        _ path: String, _ body: @escaping @Sendable () async throws -> Void
    )
        async throws
    {
        let listening = Signal()
        try await withService(Self.listener(path) { listening.fire() }) {
            await listening.wait()
            try await body()
        }
    }

    /// A socket at the path, as a dead program leaves it behind.
    private static func bound(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
        return descriptor
    }
}
