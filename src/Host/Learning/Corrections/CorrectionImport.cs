using System.Globalization;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>Takes corrections from a manifest.</summary>
internal static class CorrectionImport
{
    /// <summary>What became of a manifest's rows.</summary>
    /// <param name="Imported">Corrections that are new.</param>
    /// <param name="Known">Those that were there already.</param>
    /// <param name="Dropped">Rows that cannot be used.</param>
    public sealed record Result(int Imported, int Known, IReadOnlyList<DroppedRow> Dropped);

    /// <summary>Imports the rows; each is kept for good when it is counted, so that an import that was cut short can be done again.</summary>
    /// <param name="corrections">Gets them.</param>
    /// <param name="manifest">The rows.</param>
    /// <param name="about">Author, and what a row without speaker or domain has.</param>
    /// <param name="report">Told the share done.</param>
    /// <param name="cancellationToken">Stops between two rows.</param>
    /// <exception cref="AsrException">A row cannot be kept, or none can be used.</exception>
    public static async Task<Result> RunAsync(CorrectionStore corrections, Manifest manifest, CorrectionSource about, Action<double, string> report, CancellationToken cancellationToken)
    {
        List<DroppedRow> dropped = [];
        var (imported, known, done) = (0, 0, 0);
        UtteranceReader? reader = null;
        string? path = null;
        try
        {
            foreach (var entry in manifest.Entries)
            {
                cancellationToken.ThrowIfCancellationRequested();
                float[] samples = [];
                var problem = Check(entry);
                try
                {
                    if (problem is null)
                    {
                        if (entry.AudioPath != path)
                        {
                            reader?.Dispose();
                            reader = null;
                            reader = new UtteranceReader(entry.AudioPath);
                            path = entry.AudioPath;
                        }

                        samples = reader!.Read(entry.StartSeconds, entry.EndSeconds, ClipStore.MaximumSeconds * AudioFile.TargetRateHz);
                        problem = samples.Length == 0 ? (DropReason.TooShort, "there is no audio")
                            : samples.Length > ClipStore.MaximumSeconds * AudioFile.TargetRateHz ? (DropReason.TooLong, string.Create(CultureInfo.InvariantCulture, $"longer than {ClipStore.MaximumSeconds} s: give start and end"))
                            : null;
                    }
                }
                catch (AsrException error)
                {
                    (reader, path) = (null, null);
                    problem = (DropReason.UnreadableAudio, error.Message);
                }

                if (problem is var (reason, detail))
                {
                    dropped.Add(new DroppedRow(entry.Row, entry.AudioName, reason, detail));
                }
                else if (await corrections.ImportAsync(samples, entry.Text, entry.Hypothesis ?? "", new CorrectionSource(about.Author, entry.Speaker ?? about.Speaker, entry.Domain ?? about.Domain, entry.Language)) is null)
                {
                    known++;
                }
                else
                {
                    imported++;
                }

                report(++done / (double)manifest.Entries.Count, string.Create(CultureInfo.InvariantCulture, $"{done}/{manifest.Entries.Count}"));
            }
        }
        finally
        {
            reader?.Dispose();
        }

        manifest.RequireUsable(imported + known, dropped);
        return new Result(imported, known, [.. manifest.Dropped, .. dropped]);
    }

    private static (DropReason Reason, string Detail)? Check(ManifestEntry entry) =>
        entry.Text.Length > CorrectionRules.LongestText || entry.Hypothesis?.Length > CorrectionRules.LongestText ? (DropReason.TooManyTokens, $"a text has more than {CorrectionRules.LongestText} characters")
        : entry.Speaker?.Length > CorrectionRules.LongestName || entry.Domain?.Length > CorrectionRules.LongestName ? (DropReason.Malformed, $"speaker and domain have at most {CorrectionRules.LongestName} characters")
        : null;
}
