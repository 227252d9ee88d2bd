using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Security;

/// <summary>The API keys of a data folder, in its file <c>keys.json</c>. What another process changes is seen at the next question.</summary>
/// <remarks>
/// <para>Safe for concurrent calls, and for several processes.</para>
/// <para>
/// A key is 256 random bits, so that its plain SHA-256 is as hard to turn back as the key is to guess: the slow hashes that passwords
/// need would add nothing but load.
/// </para>
/// </remarks>
internal sealed class ApiKeyStore
{
    /// <summary>What each key starts with, so that people and secret scanners know it for one.</summary>
    public const string Prefix = "asr_";

    private const int KeyBytes = 32;
    private const int LongestName = 64;

    /// <summary>Longer than any file system's resolution of times: a file that young is read again, its time may not tell.</summary>
    private static readonly TimeSpan Young = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan LockTimeout = TimeSpan.FromSeconds(10);

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter<Role>(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    private readonly Lock _gate = new();
    private readonly string? _path;
    private readonly TimeProvider _time;
    private ApiKey[] _keys = [];
    private (DateTime WrittenAt, long Length)? _read;
    private bool _wasYoung;

    /// <summary>Keys of a data folder.</summary>
    /// <param name="dataDirectory">The folder, which need not exist; null: there are no keys and there never will be.</param>
    /// <param name="time">The clock.</param>
    public ApiKeyStore(string? dataDirectory, TimeProvider time)
    {
        _path = dataDirectory is null ? null : Path.Combine(dataDirectory, "keys.json");
        _time = time;
    }

    /// <summary>Every key, also those that no longer open anything.</summary>
    /// <exception cref="AsrException">The file cannot be read or holds something else.</exception>
    public IReadOnlyList<ApiKey> Keys => Current();

    /// <summary>Whether callers need one: as soon as one was made, and also when none is usable any more.</summary>
    /// <exception cref="AsrException">The file cannot be read or holds something else.</exception>
    public bool AreRequired => Current().Length > 0;

    /// <summary>Whether a key opens anything.</summary>
    /// <exception cref="AsrException">The file cannot be read or holds something else.</exception>
    public bool AnyUsable => Current().Any(key => key.IsUsableAt(_time.GetUtcNow()));

    /// <summary>The stored key that somebody presents, usable or not; null when it is none of them.</summary>
    /// <exception cref="AsrException">The file cannot be read or holds something else.</exception>
    public ApiKey? Find(string presented)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        Span<byte> stored = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(presented), hash);

        // All are compared, each in constant time: how long it takes tells nothing about any of them.
        ApiKey? found = null;
        foreach (var key in Current())
        {
            Convert.FromHexString(key.Sha256, stored, out _, out _);
            found = CryptographicOperations.FixedTimeEquals(hash, stored) ? key : found;
        }

        return found;
    }

    /// <summary>Whether the key of an id (still) opens something.</summary>
    /// <exception cref="AsrException">The file cannot be read or holds something else.</exception>
    public bool IsUsable(string id) => Current().Any(key => key.Id == id && key.IsUsableAt(_time.GetUtcNow()));

    /// <summary>Makes a key.</summary>
    /// <param name="role">What its holder may do.</param>
    /// <param name="name">Whose it is; at most 64 characters.</param>
    /// <param name="lifetime">How long it is good for; null: for ever.</param>
    /// <param name="cancellationToken">Stops waiting for another process that changes the keys.</param>
    /// <param name="tenant">The tenant that its holder's sessions are of; null: each session says itself.</param>
    /// <returns>The key, which is nowhere else from now on, and what is stored of it.</returns>
    /// <exception cref="AsrException">The name cannot be used, or the file cannot be written.</exception>
    public async Task<(string Secret, ApiKey Key)> CreateAsync(Role role, string name, TimeSpan? lifetime, CancellationToken cancellationToken, string? tenant = null)
    {
        AdapterScope.RequireName("tenant", tenant);
        name = name.Trim();
        if (name.Length is 0 or > LongestName || name.Any(char.IsControl))
        {
            throw new AsrException($"a key's name has 1 to {LongestName} characters");
        }

        var secret = Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(KeyBytes));
        var now = _time.GetUtcNow();
        ApiKey? made = null;
        await ChangeAsync(keys =>
        {
            string id;
            do
            {
                id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
            }
            while (keys.Any(key => key.Id == id));

            made = new ApiKey
            {
                Id = id,
                Name = name,
                Role = role,
                Tenant = tenant,
                Sha256 = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret))),
                CreatedAt = now,
                ExpiresAt = now + lifetime,
            };
            return [.. keys, made];
        }, cancellationToken);
        return (secret, made!);
    }

    /// <summary>Makes a key open nothing any more; it stays in the list.</summary>
    /// <param name="idOrName">Its id, or its name where only one usable key has it.</param>
    /// <param name="cancellationToken">Stops waiting for another process that changes the keys.</param>
    /// <exception cref="AsrException">There is no such key, or several have the name, or the file cannot be written.</exception>
    public async Task<ApiKey> RevokeAsync(string idOrName, CancellationToken cancellationToken)
    {
        ApiKey? revoked = null;
        await ChangeAsync(keys =>
        {
            var index = Array.FindIndex(keys, key => key.Id == idOrName);
            if (index < 0)
            {
                var named = Enumerable.Range(0, keys.Length).Where(i => keys[i].Name == idOrName && keys[i].RevokedAt is null).ToArray();
                index = named.Length switch
                {
                    1 => named[0],
                    0 => throw new AsrException($"there is no key '{idOrName}': see 'asr keys list'"),
                    _ => throw new AsrException($"{named.Length} keys have the name '{idOrName}': revoke by id, one of {string.Join(", ", named.Select(i => keys[i].Id))}"),
                };
            }

            revoked = keys[index] with { RevokedAt = keys[index].RevokedAt ?? _time.GetUtcNow() };
            keys[index] = revoked;
            return keys;
        }, cancellationToken);
        return revoked!;
    }

    private ApiKey[] Current()
    {
        if (_path is null)
        {
            return [];
        }

        lock (_gate)
        {
            var file = new FileInfo(_path);
            (DateTime WrittenAt, long Length)? seen = file.Exists ? (file.LastWriteTimeUtc, file.Length) : null;
            if (seen != _read || _wasYoung)
            {
                _keys = seen is null ? [] : Read(_path);

                // The clock of the file system, which no test turns.
                _wasYoung = seen is { } stamp && TimeProvider.System.GetUtcNow().UtcDateTime - stamp.WrittenAt < Young;
                _read = seen;
            }

            return _keys;
        }
    }

    /// <summary>Reads, changes and writes the file while no other process does.</summary>
    private async Task ChangeAsync(Func<ApiKey[], ApiKey[]> change, CancellationToken cancellationToken)
    {
        if (_path is null)
        {
            throw new InvalidOperationException("Without a data folder there are no keys.");
        }

        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        await using var turn = await WaitForTurnAsync(_path + ".lock", cancellationToken);
        var keys = change(File.Exists(_path) ? Read(_path) : []);
        AtomicFile.Write(_path, stream =>
        {
            if (!OperatingSystem.IsWindows())
            {
                // Hashes need no hiding, but nobody else has any use for them.
                File.SetUnixFileMode(((FileStream)stream).SafeFileHandle, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }

            JsonSerializer.Serialize(stream, new KeyFile { Keys = keys }, Json);
        });
    }

    private static async Task<FileStream> WaitForTurnAsync(string path, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (TimeProvider.System.GetElapsedTime(started) < LockTimeout)
            {
                await Task.Delay(20, cancellationToken);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new AsrException($"the API keys cannot be changed: {error.Message}", error);
            }
        }
    }

    private static ApiKey[] Read(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            var keys = JsonSerializer.Deserialize<KeyFile>(stream, Json)?.Keys ?? throw new JsonException("no keys");
            return keys.All(key => key.Sha256 is { Length: 2 * SHA256.HashSizeInBytes } hash && hash.All(char.IsAsciiHexDigit))
                ? keys
                : throw new JsonException("a hash that is none");
        }
        catch (JsonException error)
        {
            throw new AsrException($"{path} is damaged: put back a copy, or delete it and make new keys ({error.Message.ReplaceLineEndings(" ")})", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }
    }

    /// <summary>What <c>keys.json</c> holds.</summary>
    private sealed record KeyFile
    {
        public required ApiKey[] Keys { get; init; }
    }
}
