using System.Security.Cryptography;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Learning.Registry;

/// <summary>The folders <c>adapters/&lt;id&gt;</c>: written whole or not at all, then never changed.</summary>
internal static class AdapterFolder
{
    /// <summary>What makes a PEFT folder.</summary>
    public static readonly string[] Files = ["adapter_config.json", "adapter_model.safetensors"];

    /// <summary>Before the names of folders that are being written or deleted; no id starts like that.</summary>
    private const string NewPrefix = ".new-";
    private const string DeletedPrefix = ".deleted-";

    /// <summary>Copies a PEFT folder, adds its card, and gives it its name when everything is on the disk.</summary>
    /// <param name="source">The PEFT folder.</param>
    /// <param name="parent">The folder of adapters; made where it is missing.</param>
    /// <param name="newCard">Makes the card, given the files' hashes.</param>
    /// <param name="cancellationToken">Stops before the folder has its name.</param>
    /// <returns>The card and its text.</returns>
    /// <exception cref="AsrException">The source is no PEFT folder, or the copy cannot be written.</exception>
    public static async Task<(AdapterCard Card, string Json)> WriteAsync(
        string source, string parent, Func<IReadOnlyDictionary<string, string>, AdapterCard> newCard, CancellationToken cancellationToken)
    {
        string? aside = null;
        try
        {
            Make(parent);
            aside = Path.Combine(parent, $"{NewPrefix}{Guid.NewGuid():n}");
            Make(aside);
            var hashes = new SortedDictionary<string, string>(StringComparer.Ordinal);
            foreach (var name in Files)
            {
                var from = Path.Combine(source, name);
                if (!File.Exists(from))
                {
                    throw new AsrException($"{source} is no PEFT folder: it has no {name}");
                }

                // The hash is of what was written, not of what is read there later.
                hashes.Add(name, await CopyAsync(from, Path.Combine(aside, name), cancellationToken));
            }

            var card = newCard(hashes);
            var json = card.ToJson();
            await File.WriteAllTextAsync(Path.Combine(aside, AdapterCard.FileName), json, cancellationToken);
            foreach (var file in Directory.EnumerateFiles(aside))
            {
                if (!OperatingSystem.IsWindows())
                {
                    File.SetUnixFileMode(file, UnixFileMode.UserRead);
                }
            }

            Durable.FlushTree(aside);
            cancellationToken.ThrowIfCancellationRequested();
            Directory.Move(aside, Path.Combine(parent, card.Id));
            Durable.FlushFolder(parent);
            return (card, json);
        }
        catch (Exception error)
        {
            if (aside is not null && Directory.Exists(aside))
            {
                TryDelete(aside);
            }

            if (error is IOException or UnauthorizedAccessException)
            {
                throw new AsrException($"the adapter in {source} cannot be kept: {error.Message}", error);
            }

            throw;
        }
    }

    /// <summary>Checks that a folder holds what its card says.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="card">Its card.</param>
    /// <param name="json">Its card's text, as the database has it.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <exception cref="AsrException">It is missing, or something in it is missing or changed.</exception>
    public static async Task VerifyAsync(string folder, AdapterCard card, string json, CancellationToken cancellationToken)
    {
        try
        {
            if (!Directory.Exists(folder))
            {
                throw Damaged(card.Id, "its folder is missing");
            }

            var path = Path.Combine(folder, AdapterCard.FileName);
            if (!File.Exists(path) || await File.ReadAllTextAsync(path, cancellationToken) != json)
            {
                throw Damaged(card.Id, $"its {AdapterCard.FileName} is missing or not what the database has");
            }

            foreach (var (name, expected) in card.Files)
            {
                var file = Path.Combine(folder, name);
                if (!File.Exists(file))
                {
                    throw Damaged(card.Id, $"{name} is missing");
                }

                await using var stream = File.OpenRead(file);
                if (Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken)) != expected)
                {
                    throw Damaged(card.Id, $"{name} is not what it was");
                }
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Damaged(card.Id, error.Message, error);
        }
    }

    /// <summary>Takes a folder out of sight, to be deleted or put back.</summary>
    /// <returns>Where it is; null when there was none.</returns>
    public static string? SetAside(string parent, string id)
    {
        var folder = Path.Combine(parent, id);
        if (!Directory.Exists(folder))
        {
            return null;
        }

        var aside = Path.Combine(parent, DeletedPrefix + id);
        Directory.Move(folder, aside);
        return aside;
    }

    /// <summary>Puts a folder that was set aside back.</summary>
    public static void PutBack(string parent, string id) => Directory.Move(Path.Combine(parent, DeletedPrefix + id), Path.Combine(parent, id));

    /// <summary>Folders that were being written or deleted when a process ended: the id of the latter, null of the former.</summary>
    public static IEnumerable<(string Folder, string? Deleted)> Leftovers(string parent)
    {
        if (!Directory.Exists(parent))
        {
            yield break;
        }

        foreach (var folder in Directory.GetDirectories(parent, ".*"))
        {
            var name = Path.GetFileName(folder);
            if (name.StartsWith(DeletedPrefix, StringComparison.Ordinal))
            {
                yield return (folder, name[DeletedPrefix.Length..]);
            }
            else if (name.StartsWith(NewPrefix, StringComparison.Ordinal))
            {
                yield return (folder, null);
            }
        }
    }

    /// <summary>Deletes a folder; what cannot be deleted now is left.</summary>
    public static void TryDelete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It has no name that anything looks for; the next start tries again.
        }
    }

    private static AsrException Damaged(string id, string what, Exception? cause = null) =>
        new($"the adapter {id} is damaged ({what}): restore its folder from a copy, or delete it with 'asr adapters delete {id}'", cause);

    private static async Task<string> CopyAsync(string from, string to, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var source = File.OpenRead(from);
        await using var target = new FileStream(to, FileMode.CreateNew);
        var buffer = new byte[1 << 16];
        while (await source.ReadAsync(buffer, cancellationToken) is > 0 and var count)
        {
            hash.AppendData(buffer.AsSpan(0, count));
            await target.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Makes a folder that others cannot look into: what people say is theirs, and what was learned from it too.</summary>
    public static void Make(string directory)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(directory);
        }
        else
        {
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }
}
