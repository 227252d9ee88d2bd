using System.Security.Cryptography;
using System.Text;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.ModelHub;

/// <summary>A file of a repository.</summary>
/// <param name="Path">Relative to the repository.</param>
/// <param name="SizeBytes">Its size; null where the hub does not say.</param>
/// <param name="Sha256">SHA-256 of a large file, lower-case hexadecimal; null for others.</param>
/// <param name="GitBlob">Git's SHA-1 of a small file; null where the hub does not say.</param>
internal sealed record HubFile(string Path, long? SizeBytes, string? Sha256, string? GitBlob)
{
    /// <summary>Whether a file on disk is this one, as far as the hub says.</summary>
    /// <returns>Null when it is; otherwise what differs.</returns>
    public string? Difference(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.SequentialScan);
        if (SizeBytes is { } size && stream.Length != size)
        {
            return $"it has {stream.Length} bytes and not {size}";
        }

        if (Sha256 is not null)
        {
            var actual = Convert.ToHexStringLower(SHA256.HashData(stream));
            return actual == Sha256 ? null : $"its SHA-256 is {actual} and not {Sha256}";
        }

        if (GitBlob is not null)
        {
            var actual = GitBlobOf(stream);
            return actual == GitBlob ? null : $"its git hash is {actual} and not {GitBlob}";
        }

        return null;
    }

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5350:Do Not Use Weak Cryptographic Algorithms", Justification = "Git names small files by SHA-1; nothing else is there to check them by.")]
    private static string GitBlobOf(FileStream stream)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(Encoding.ASCII.GetBytes($"blob {stream.Length}\0"));
        var buffer = new byte[1 << 16];
        for (var count = stream.Read(buffer); count > 0; count = stream.Read(buffer))
        {
            hash.AppendData(buffer.AsSpan(0, count));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

/// <summary>A repository's files at one commit.</summary>
/// <param name="Commit">The commit's hash, or the revision as it was asked for where the hub does not say.</param>
/// <param name="Files">All files.</param>
internal sealed record HubRepository(string Commit, IReadOnlyList<HubFile> Files)
{
    /// <summary>The file of that path, or null.</summary>
    public HubFile? Find(string path) => Files.FirstOrDefault(file => file.Path == path);
}

/// <summary>The name of a model on a hub, such as <c>openai/whisper-tiny</c>.</summary>
internal static class ModelName
{
    /// <summary>Whether a text is ORG/NAME, each of letters, digits, <c>-</c>, <c>_</c> and <c>.</c>.</summary>
    public static bool IsValid(string text) => text.Split('/') is [var owner, var name] && IsPart(owner) && IsPart(name);

    /// <summary>The folder of a pulled model.</summary>
    /// <exception cref="AsrException">The text is no name.</exception>
    public static string FolderIn(string modelsDirectory, string model) => IsValid(model)
        ? Path.Combine(modelsDirectory, model.Replace('/', Path.DirectorySeparatorChar))
        : throw new AsrException($"'{model}' is no model's name: give ORG/NAME, such as openai/whisper-tiny");

    private static bool IsPart(string text) =>
        text.Length is > 0 and <= 96 && text[0] is not ('.' or '-') && text.All(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.');
}
