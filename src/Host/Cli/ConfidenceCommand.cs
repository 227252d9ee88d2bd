using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Confidence;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr confidence</c>: how the confidences of words are calibrated. A running host takes over what changes within seconds.</summary>
internal static class ConfidenceCommand
{
    public static Command Create()
    {
        var fit = new Option<bool>("--fit") { Description = "calibrates anew by all corrections of the data folder" };
        var data = new Option<string?>("--data-dir") { Description = "the data folder; default: ASR_DATA_DIR, else the user's", HelpName = "DIR" };
        var json = new Option<bool>("--json") { Description = "one JSON object" };
        var command = new Command("confidence", "Shows how captions' word confidences are calibrated, and how far off they were before and after.");
        command.Options.Add(fit);
        command.Options.Add(data);
        command.Options.Add(json);
        command.SetAction(parsed =>
        {
            using var folder = DataFolder.OpenBeside(DataDirectory.Resolve(parsed.GetValue(data)), TimeProvider.System);
            var store = new ConfidenceStore(folder);
            var (maps, leftOut) = parsed.GetValue(fit) ? store.Fit(TimeProvider.System.GetUtcNow()) : (store.Read(), []);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(new { items = maps, leftOut }, JsonSerializerOptions.Web));
                return 0;
            }

            foreach (var map in maps)
            {
                Console.WriteLine(Describe(map));
            }

            foreach (var reason in leftOut)
            {
                Console.Error.WriteLine($"asr: {reason}");
            }

            if (maps.Count == 0 && leftOut.Count == 0)
            {
                Console.WriteLine(parsed.GetValue(fit) ? "no captions have been corrected yet" : "confidences are the model's own: nothing is calibrated yet (--fit does it)");
            }

            return 0;
        });
        return command;
    }

    private static string Describe(ConfidenceMap map) => string.Create(
        CultureInfo.InvariantCulture,
        $"{map.AdapterVersion}: {Method(map)}, by {map.Words} words of {map.Captions} captions ({map.Right} right); calibration error {100 * map.Before.CalibrationError:0.0} % → {100 * map.After.CalibrationError:0.0} %, log loss {map.Before.LogLoss:0.000} → {map.After.LogLoss:0.000}");

    private static string Method(ConfidenceMap map) => map.Method switch
    {
        CalibrationMethod.Temperature => string.Create(CultureInfo.InvariantCulture, $"temperature {map.Temperature:0.00}"),
        CalibrationMethod.Isotonic => $"isotonic curve of {map.Points.Count} points",
        _ => "as the model says",
    };
}
