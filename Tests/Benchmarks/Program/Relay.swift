import Foundation
import Glibc
import Synchronization

/// Stands between two nodes on loopback: counts the bytes of every connection when they pass, can hold new connections
/// back, and cut those that are open. A thread for each direction; it costs a wake-up and two copies.
final class Relay: Sendable {
    /// Bytes that passed at once.
    struct Chunk: Sendable {
        let time: Stopwatch
        /// To the node behind the relay, or back.
        let isForward: Bool
        let bytes: Int
    }

    private struct State {
        var isHeld = false
        var held: [Int32] = []
        var open: Set<Int32> = []
        var chunks: [Chunk] = []
        var connections = 0
    }

    let port: Int
    private let target: Int
    private let listener: Int32
    private let state = Mutex(State())

    /// Listens on loopback for connections to another port there.
    init(to target: Int) throws {
        self.target = target
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.address(0)
        let bound = Self.with(&address) { bind(listener, $0, $1) == 0 && listen(listener, 64) == 0 }
        guard bound else { throw BenchmarkError("the relay cannot listen") }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
        }
        self.listener = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread { [self] in accept() }.start()
    }

    /// From now on, new connections wait.
    func hold() { state.withLock { $0.isHeld = true } }

    /// How many connections wait.
    var waiting: Int { state.withLock { $0.held.count } }

    /// Connections that were let through, ever.
    var connections: Int { state.withLock { $0.connections } }

    /// Lets new connections through, and those that wait.
    func release() {
        let held = state.withLock { state in
            state.isHeld = false
            defer { state.held = [] }
            return state.held
        }
        for near in held { join(near) }
    }

    /// Ends all connections that are open or wait.
    func cut() {
        state.withLock { state in
            for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
            for descriptor in state.held { close(descriptor) }
            state.held = []
        }
    }

    /// Ends everything.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        cut()
    }

    /// What has passed since this was last asked.
    func takeTraffic() -> [Chunk] {
        state.withLock { state in
            defer { state.chunks = [] }
            return state.chunks
        }
    }

    // MARK: Threads

    private func accept() {
        while true {
            let near = Glibc.accept(listener, nil, nil)
            guard near >= 0 else { return }
            let isHeld = state.withLock { state in
                if state.isHeld { state.held.append(near) }
                return state.isHeld
            }
            if !isHeld { join(near) }
        }
    }

    private func join(_ near: Int32) {
        let far = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.address(target)
        guard Self.with(&address, { connect(far, $0, $1) == 0 }) else {
            close(near)
            close(far)
            return
        }
        var one: Int32 = 1
        for descriptor in [near, far] {
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        }
        state.withLock { state in
            state.open.formUnion([near, far])
            state.connections += 1
        }
        Thread { [self] in
            let back = ThreadGroup(1) { [self] _ in pump(from: far, to: near, isForward: false) }
            pump(from: near, to: far, isForward: true)
            _ = try? back.wait()
            state.withLock { $0.open.subtract([near, far]) }
            close(near)
            close(far)
        }.start()
    }

    /// Passes bytes on until one side ends; then both do.
    private func pump(from source: Int32, to sink: Int32, isForward: Bool) {
        var piece = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = read(source, &piece, piece.count)
            guard count > 0 else { break }
            state.withLock { $0.chunks.append(Chunk(time: Stopwatch(), isForward: isForward, bytes: count)) }
            var sent = 0
            while sent < count {
                let done = piece.withUnsafeBytes {
                    send(sink, $0.baseAddress?.advanced(by: sent), count - sent, Int32(MSG_NOSIGNAL))
                }
                guard done > 0 else { break }
                sent += done
            }
            guard sent == count else { break }
        }
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(sink, Int32(SHUT_RDWR))
    }

    // MARK: Addresses

    private static func address(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
        return address
    }

    private static func with<Value>(
        _ address: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
    ) -> Value {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// A port of loopback that nothing listens on now.
    static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        for _ in 0..<1_000 {
            let port = Int.random(in: 20_000..<30_000)
            var address = Self.address(port)
            if with(&address, { bind(descriptor, $0, $1) == 0 }) { return port }
        }
        throw BenchmarkError("no port is free")
    }
}
