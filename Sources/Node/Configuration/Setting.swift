/// One thing that can be set: by a flag, an environment variable, or the configuration file.
public enum Setting: String, Sendable, Hashable, CaseIterable {
    case data, member, node, listen, advertise, peers, proxy, passphraseSource, authorityKey, logLevel, logFormat
    case maximumConnections, maximumConnectionsPerMember, exchangeInterval, diskReserve, controlSocket
    case memberEntriesPerMinute, memberMebibytesPerMinute, memberEntriesPerDay, memberMebibytesPerDay

    /// Its name in the configuration file.
    public var name: String { rawValue }

    /// Whether it is a list: an array in the file, separated by commas in the environment, a flag that may be repeated.
    public var isList: Bool { self == .advertise || self == .peers }

    /// Whether it is a whole number.
    public var isNumber: Bool {
        switch self {
        case .maximumConnections, .maximumConnectionsPerMember, .exchangeInterval, .diskReserve: true
        case .memberEntriesPerMinute, .memberMebibytesPerMinute, .memberEntriesPerDay, .memberMebibytesPerDay: true
        default: false
        }
    }

    /// Whether the file may have it: the folder is where the file is.
    public var standsInFile: Bool { self != .data }

    /// The flag, such as `--log-level`.
    public var flag: String {
        self == .passphraseSource ? "--passphrase" : self == .peers ? "--peer" : "--\(words("-"))"
    }

    /// The environment variable, such as `ENTENTE_LOG_LEVEL`.
    public var variable: String { "ENTENTE_\(words("_").uppercased())" }

    /// What it is, with its unit, for people.
    public var help: String {
        switch self {
        case .data: "the node's folder"
        case .member: "short name of the member whose node this is"
        case .node: "the node's name in the member's roster"
        case .listen: "host:port where peers connect, or none for a node that only dials out"
        case .advertise: "where other members reach this node, https://host:port"
        case .peers: "member=host:port, before the addresses of charter and rosters"
        case .proxy: "HTTP proxy for dialling peers, http://[user:password@]host:port"
        case .passphraseSource: "where the keys' passphrase comes from: env:NAME, fd:N, file:PATH or prompt"
        case .authorityKey:
            "the member's authority key, for a node that renews its certificate by itself; none by default"
        case .logLevel: "trace, debug, info, notice, warning, error or critical"
        case .logFormat: "text or json"
        case .maximumConnections: "open connections of all peers together"
        case .maximumConnectionsPerMember: "open connections of one member"
        case .exchangeInterval: "seconds between exchanges of heads with a peer"
        case .diskReserve: "MiB that stay free on the disk: with less, nothing is published or fetched"
        case .memberEntriesPerMinute: "entries a minute taken in of one member's log, over 10 minutes; 0 for any number"
        case .memberMebibytesPerMinute: "MiB a minute taken in of one member, over 10 minutes; 0 for any number"
        case .memberEntriesPerDay: "entries a day taken in of one member's log; 0 for any number"
        case .memberMebibytesPerDay: "MiB a day taken in of one member; 0 for any number"
        case .controlSocket: "Unix socket on which the command line asks the node"
        }
    }

    /// The words of the name, in lower case.
    private func words(_ separator: String) -> String {
        rawValue.reduce(into: "") { text, character in
            text += character.isUppercase ? separator + character.lowercased() : String(character)
        }
    }
}

/// Where a setting's value came from.
public enum SettingSource: Sendable, Hashable, CustomStringConvertible {
    case flag(String)
    case environment(String)
    case file(String)
    case standard

    public var description: String {
        switch self {
        case .flag(let name): name
        case .environment(let name): "environment \(name)"
        case .file(let path): path
        case .standard: "default"
        }
    }
}

/// Why the settings cannot be used: where, and what to do.
public struct SettingsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of thing is wrong.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// There is no configuration file where one is needed.
        case noNode
        /// The file cannot be read, or is no JSON object.
        case file
        /// The file has a member that is no setting.
        case unknownKey
        /// A value that cannot be.
        case badValue
    }

    public let code: Code
    /// The file, flag or variable, and the setting.
    public let place: String
    public let reason: String

    init(_ code: Code, _ place: String, _ reason: String) {
        self.code = code
        self.place = place
        self.reason = reason
    }

    public var description: String { "\(place): \(reason)" }
}
