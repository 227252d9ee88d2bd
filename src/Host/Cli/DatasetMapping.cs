using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Cli;

/// <summary>Makes manifests data sets as a verb does: a progress bar and one line of result on stderr, the report in a file.</summary>
internal static class DatasetMapping
{
    /// <summary>Where features are cached unless a verb says otherwise.</summary>
    public static string DefaultCache(string dataDirectory) => Path.Combine(dataDirectory, "cache", "features");

    /// <summary>Reads and maps a manifest.</summary>
    /// <param name="manifestPath">As <see cref="Manifest.Read"/>.</param>
    /// <param name="options">How.</param>
    /// <param name="reportPath">Where the report of dropped rows goes; null for nowhere.</param>
    /// <param name="quiet">No progress.</param>
    /// <param name="cancellationToken">Stops between two utterances; the next run goes on from there.</param>
    /// <exception cref="Abstractions.AsrException">As <see cref="DatasetBuilder.Build"/>.</exception>
    public static FeatureDataset Map(string manifestPath, DatasetOptions options, string? reportPath, bool quiet, CancellationToken cancellationToken)
    {
        var manifest = Manifest.Read(manifestPath);
        var data = ProgressBar.Run(
            Path.GetFileName(manifest.Path),
            quiet,
            report => DatasetBuilder.Build(manifest, options, at => report(at.Done / (double)at.Total, $"{at.Done}/{at.Total}, {at.Cached} cached"), cancellationToken));
        if (reportPath is not null)
        {
            data.Report.Write(reportPath);
        }

        if (!quiet)
        {
            Console.Error.WriteLine(data.Report.Summary);
        }

        return data;
    }
}
