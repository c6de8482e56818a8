import Node

extension FuzzTarget {
    static let ofTheNode: [FuzzTarget] = [
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
}
