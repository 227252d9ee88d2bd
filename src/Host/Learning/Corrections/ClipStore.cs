using System.Globalization;
using System.Security.Cryptography;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Data;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>The clips of a data folder: WAV files (PCM16, 16 kHz, mono) under the SHA-256 of their content, <c>clips/ab/abcdef….wav</c>.</summary>
/// <remarks>
/// A clip is whole on the disk before a row names it, and goes when no row names it any more. Equal audio is one file. Safe for
/// concurrent calls, also of several processes.
/// </remarks>
internal sealed class ClipStore(DataFolder folder, TimeProvider time)
{
    /// <summary>Longest clip: a window of Whisper's.</summary>
    public const int MaximumSeconds = 30;

    /// <summary>What no row names yet may be named just now: only what is older is swept.</summary>
    private static readonly TimeSpan Youngest = TimeSpan.FromHours(1);

    private readonly string _directory = Path.Combine(folder.Directory, "clips");

    /// <summary>The file of a clip.</summary>
    /// <param name="name">64 lower-case hexadecimal digits.</param>
    public string FileOf(string name) => Path.Combine(_directory, name[..2], name + ".wav");

    /// <summary>Whether a clip is there.</summary>
    public bool Has(string name) => File.Exists(FileOf(name));

    /// <summary>Keeps a clip; it is on the disk when this returns.</summary>
    /// <param name="samples">16 kHz, −1…1; at least one.</param>
    /// <returns>Its name.</returns>
    /// <exception cref="AsrException">It cannot be written.</exception>
    public string Put(ReadOnlySpan<float> samples)
    {
        using var content = new MemoryStream(WavWriter.HeaderBytes + (sizeof(short) * samples.Length));
        WavWriter.Write(content, samples, AudioFile.TargetRateHz);
        var bytes = content.GetBuffer().AsMemory(0, (int)content.Length);
        var name = Convert.ToHexStringLower(SHA256.HashData(bytes.Span));
        var file = FileOf(name);
        try
        {
            if (File.Exists(file))
            {
                // Young again, so that no sweep takes it before its new row names it.
                File.SetLastWriteTimeUtc(file, time.GetUtcNow().UtcDateTime);
                return name;
            }

            Make(_directory);
            Make(Path.GetDirectoryName(file)!);
            AtomicFile.Write(file, stream => stream.Write(bytes.Span));
            return name;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or AsrException)
        {
            throw new AsrException($"the clip cannot be kept: the data folder cannot be written ({(error.InnerException ?? error).Message})", error);
        }
    }

    /// <summary>Deletes clips that no row names.</summary>
    /// <exception cref="AsrException">One cannot be deleted.</exception>
    public Task ReleaseAsync(IReadOnlyCollection<string> names) => names.Count == 0 ? Task.CompletedTask : folder.Database.WriteAsync(connection =>
    {
        // Within a transaction: a row that names one is written before or after this, and looks whether its clip is there.
        foreach (var name in names)
        {
            if (connection.Scalar("SELECT 1 FROM correction WHERE clip = $clip", ("$clip", name)) is null)
            {
                Delete(FileOf(name));
            }
        }

        return true;
    });

    /// <summary>Deletes what a killed process left: old clips that no row names, and unfinished files.</summary>
    /// <returns>The clips that were deleted, at most.</returns>
    /// <exception cref="AsrException">One cannot be deleted.</exception>
    public async Task<int> SweepAsync()
    {
        if (!Directory.Exists(_directory))
        {
            return 0;
        }

        var oldest = time.GetUtcNow().UtcDateTime - Youngest;
        var old = new DirectoryInfo(_directory).EnumerateFiles("*", SearchOption.AllDirectories).Where(file => file.LastWriteTimeUtc < oldest).ToList();
        foreach (var unfinished in old.Where(file => file.Extension != ".wav"))
        {
            Delete(unfinished.FullName);
        }

        var named = folder.Database.Read(connection => connection.Query("SELECT DISTINCT clip FROM correction WHERE clip IS NOT NULL", reader => reader.GetString(0))).ToHashSet(StringComparer.Ordinal);
        string[] unnamed = [.. old.Where(file => file.Extension == ".wav").Select(file => Path.GetFileNameWithoutExtension(file.Name)).Where(name => name.Length == 64 && !named.Contains(name))];
        await ReleaseAsync(unnamed);
        return unnamed.Length;
    }

    private static void Delete(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (DirectoryNotFoundException)
        {
            // Nor is the file.
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException(string.Create(CultureInfo.InvariantCulture, $"the clip {Path.GetFileName(file)} cannot be deleted: see to the data folder"), error);
        }
    }

    private static void Make(string directory)
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
