import Logging

/// Reads each setting's text.
struct SettingsParser {
    let values: [Setting: ([String], SettingSource)]
    /// Where the passphrase comes from if nothing is said.
    let standardPassphrase: PassphraseSource
    /// Makes a path absolute.
    let absolute: (String) -> String

    func parse(data: String) throws(SettingsError) -> NodeSettings {
        guard let member = text(.member), NodeSettings.isShortName(member) else {
            throw bad(.member, "must be a member's short name: [a-z][a-z0-9-]{0,15}")
        }
        var settings = NodeSettings(data: data, member: member)
        if let name = text(.node) {
            guard KeyFile.isValid(name: name) else { throw bad(.node, "must be [a-z0-9][a-z0-9._-]{0,63}") }
            settings.node = name
        }
        if let listen = text(.listen), listen != "none" {
            guard let address = PeerAddress(listen) else {
                throw bad(.listen, "\"\(listen)\" is neither host:port nor none")
            }
            settings.listen = address
        }
        for address in values[.advertise]?.0 ?? [] {
            guard address.hasPrefix("https://"), PeerAddress(String(address.dropFirst(8))) != nil else {
                throw bad(.advertise, "\"\(address)\" is not https://host:port")
            }
            settings.advertise.append(address)
        }
        for peer in values[.peers]?.0 ?? [] {
            guard let peer = NodeSettings.PeerOverride(peer) else {
                throw bad(.peers, "\"\(peer)\" is not member=host:port")
            }
            settings.peers.append(peer)
        }
        if let url = text(.proxy), !url.isEmpty {
            guard let proxy = PeerProxyURL(url) else { throw bad(.proxy, "must be http://[user:password@]host:port") }
            settings.proxy = proxy
        }
        try parsePassphrase(into: &settings)
        if let path = text(.authorityKey), path != "none" {
            guard !path.isEmpty else { throw bad(.authorityKey, "must be the path of the authority's key, or none") }
            settings.authorityKey = absolute(path)
        }
        try parseLogging(into: &settings)
        settings.maximumConnections = try number(.maximumConnections, 512, in: 1...65_536)
        settings.maximumConnectionsPerMember = try number(.maximumConnectionsPerMember, 32, in: 1...4_096)
        settings.exchangeInterval = try number(.exchangeInterval, 15, in: 2...20)
        settings.diskReserve = try number(.diskReserve, 64, in: 0...1_048_576)
        let limits = NodeSettings.MemberLimits()
        settings.memberLimits.entriesPerMinute = try number(
            .memberEntriesPerMinute, limits.entriesPerMinute, in: 0...1_000_000_000)
        settings.memberLimits.mebibytesPerMinute = try number(
            .memberMebibytesPerMinute, limits.mebibytesPerMinute, in: 0...6_400)
        settings.memberLimits.entriesPerDay = try number(
            .memberEntriesPerDay, limits.entriesPerDay, in: 0...6_000_000_000)
        settings.memberLimits.mebibytesPerDay = try number(
            .memberMebibytesPerDay, limits.mebibytesPerDay, in: 0...65_536)
        try parseSocket(into: &settings)
        return settings
    }

    private func parsePassphrase(into settings: inout NodeSettings) throws(SettingsError) {
        settings.passphraseSource = standardPassphrase
        guard let source = text(.passphraseSource) else { return }
        do {
            settings.passphraseSource = try PassphraseSource(argument: source)
        } catch {
            // What stands there may be a passphrase by mistake: it is not repeated.
            throw bad(.passphraseSource, error.reason)
        }
    }

    private func parseLogging(into settings: inout NodeSettings) throws(SettingsError) {
        if let level = text(.logLevel) {
            guard let level = Logger.Level(rawValue: level) else {
                throw bad(.logLevel, "\"\(level)\" is none of \(Setting.logLevel.help)")
            }
            settings.logLevel = level
        }
        if let format = text(.logFormat) {
            guard let format = NodeSettings.LogFormat(rawValue: format) else {
                throw bad(.logFormat, "\"\(format)\" is neither text nor json")
            }
            settings.logFormat = format
        }
    }

    private func parseSocket(into settings: inout NodeSettings) throws(SettingsError) {
        if let path = text(.controlSocket) { settings.controlSocket = absolute(path) }
        let count = settings.controlSocket.utf8.count
        guard count <= NodeSettings.socketPathLimit else {
            throw bad(
                .controlSocket,
                "\(settings.controlSocket) has \(count) bytes, and a socket's path at most \(NodeSettings.socketPathLimit); "
                    + "set a shorter path with \(Setting.controlSocket.flag) or \(Setting.controlSocket.variable)")
        }
    }

    private func number(_ setting: Setting, _ standard: Int, in range: ClosedRange<Int>) throws(SettingsError) -> Int {
        guard let text = text(setting) else { return standard }
        guard let number = Int(text), String(number) == text, range.contains(number) else {
            throw bad(setting, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private func text(_ setting: Setting) -> String? { values[setting]?.0.last }

    private func bad(_ setting: Setting, _ reason: String) -> SettingsError {
        let place: String =
            switch values[setting]?.1 ?? .standard {
            case .flag(let flag): flag
            case .environment(let variable): variable
            case .file(let path): "\(path), \(setting.name)"
            case .standard: "setting \(setting.name)"
            }
        return SettingsError(.badValue, place, reason)
    }
}
