import Crypto
import Synchronization
import TransparencyLog

/// Keys that follow from their names alone: the same in every run, and made once a process.
enum FixedKeys {
    private static let made = Mutex<[String: Curve25519.Signing.PrivateKey]>([:])

    static func seed(_ name: String) -> [UInt8] { HashValue.sha256("entente simulator key \(name)").bytes }

    static func key(_ name: String) -> Curve25519.Signing.PrivateKey {
        made.withLock { made in
            if let key = made[name] { return key }
            guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed(name)) else {
                preconditionFailure("32 bytes are a seed")
            }
            made[name] = key
            return key
        }
    }
}
