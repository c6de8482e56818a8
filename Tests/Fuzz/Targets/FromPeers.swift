import Node
import Replication

extension FuzzTarget {
    static let fromPeers: [FuzzTarget] = [
        FuzzTarget("frames", seeds: ["frames"]) { bytes in
            let whole = outcome(of: [bytes[...]])
            // The first byte chooses the pieces, so that a fuzzer can try all of them.
            let size = Int(bytes.first ?? 0) % 37 + 1
            let pieces = stride(from: 0, to: bytes.count, by: size).map { bytes[$0..<min($0 + size, bytes.count)] }
            require(outcome(of: pieces) == whole, "in pieces says the same as at once")
            for message in whole.messages {
                require(outcome(of: [message.frame[...]]).messages == [message], "a message reads back as itself")
            }
        },
        FuzzTarget("ranges", seeds: ["ranges"]) { bytes in
            guard let answer = try? RangeAnswer(decoding: bytes) else { return }
            require(answer.encoded == bytes, "a range is written as it was read")
        },
        FuzzTarget("config", seeds: ["config"]) { bytes in
            let loader = SettingsLoader(flags: [:], environment: [:], currentFolder: "/")
            guard let loaded = try? loader.read(bytes, data: "/data") else { return }
            require(loaded.settings.controlSocket.utf8.count <= NodeSettings.socketPathLimit, "a socket's path fits")
        },
        FuzzTarget("plans", seeds: ["plans", "public-keys", "member-files"]) { bytes in
            if let plan = try? Plan(parsing: bytes, file: "x") {
                guard let again = try? Plan(parsing: plan.bytes, file: "x") else { fatalError("a plan reads back") }
                require(again.bytes == plan.bytes, "a plan reads back as itself")
            }
            _ = try? MemberFile(parsing: bytes, file: "x")
            _ = try? PublicKeyFile(parsing: bytes, file: "x")
            _ = try? CharterFile(parsing: bytes, file: "x")
        },
        FuzzTarget("certificates", seeds: ["certificates"]) { bytes in
            if let certificate = try? PeerCertificate(der: bytes) {
                require(certificate.der == bytes, "a certificate keeps its bytes")
                _ = (certificate.notBefore, certificate.notAfter, certificate.uris)
                require((try? PeerCertificate(pem: certificate.pem)) == certificate, "PEM reads back as itself")
            }
            if let text = String(validating: bytes, as: UTF8.self) { _ = try? PeerCertificate(pem: text) }
        },
    ]

    /// What a decoder makes of a stream in pieces.
    private struct StreamOutcome: Equatable {
        var messages: [Message] = []
        var rejection: Rejection?
        var isWhole = false
    }

    private static func outcome(of pieces: [ArraySlice<UInt8>]) -> StreamOutcome {
        var decoder = FrameDecoder()
        var outcome = StreamOutcome()
        for piece in pieces {
            decoder.append(piece)
            do throws(Rejection) {
                while let message = try decoder.next() { outcome.messages.append(message) }
            } catch {
                outcome.rejection = error
                return outcome
            }
        }
        outcome.isWhole = decoder.isAtBoundary
        return outcome
    }
}
