using System.CommandLine;
using System.Globalization;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Training;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Host.Cli.Inspect;

/// <summary><c>asr inspect curves RUN_DIR</c>: the curves of a training run from its TensorBoard event files, as a table or an SVG.</summary>
internal static class InspectCurves
{
    private const int MostRows = 40;

    private static readonly (string Heading, string Tag)[] Columns =
        [("loss", "train/loss"), ("learning rate", "train/learning_rate"), ("grad norm", "train/grad_norm"), ("eval loss", "eval/loss"), ("eval WER %", "eval/wer")];

    public static Command Create()
    {
        var run = new Argument<string>("RUN_DIR") { Description = "a training run's output folder, its runs folder, or an event file" };
        var output = new Option<string?>("--output") { Description = "draws them into this file instead", HelpName = "FILE.svg" };
        var command = new Command("curves", "Shows the curves of a training run from its TensorBoard event files.");
        command.Arguments.Add(run);
        command.Options.Add(output);
        command.SetAction((parsed, _) =>
        {
            var path = parsed.GetValue(run)!;
            var curves = TensorBoardReader.Read(path);
            if (parsed.GetValue(output) is { } file)
            {
                Write(file, CurveChart.Draw(Name(path), curves) ?? throw NoCurves(path));
            }
            else
            {
                Print(curves, path);
            }

            return Task.FromResult(0);
        });
        return command;
    }

    private static void Write(string file, string svg)
    {
        try
        {
            File.WriteAllText(file, svg);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{file} cannot be written: {error.Message}", error);
        }
    }

    private static void Print(IReadOnlyDictionary<string, IReadOnlyList<CurvePoint>> curves, string path)
    {
        var columns = Columns.Where(column => curves.ContainsKey(column.Tag)).ToArray();
        if (columns.Length == 0)
        {
            throw NoCurves(path);
        }

        var values = columns.Select(column => curves[column.Tag].GroupBy(point => point.Step).ToDictionary(group => group.Key, group => group.Last().Value)).ToArray();
        long[] steps = [.. values.SelectMany(column => column.Keys).Distinct().Order()];
        Console.Out.WriteLine(Row("step", columns.Select(column => column.Heading)));
        for (var index = 0; index < steps.Length; index++)
        {
            // Of a long run some lines, evenly spaced, and every evaluation.
            var step = steps[index];
            var isEvaluation = columns.Index().Any(column => column.Item.Tag.StartsWith("eval/", StringComparison.Ordinal) && values[column.Index].ContainsKey(step));
            if (isEvaluation || steps.Length <= MostRows || index == 0 || (long)index * MostRows / steps.Length != (long)(index - 1) * MostRows / steps.Length)
            {
                Console.Out.WriteLine(Row(
                    step.ToString(CultureInfo.InvariantCulture),
                    values.Select(column => column.TryGetValue(step, out var value) ? CurveChart.Number(value) : "")));
            }
        }

        static string Row(string step, IEnumerable<string> cells) => $"{step,8}{string.Concat(cells.Select(cell => $"{cell,15}"))}".TrimEnd();
    }

    private static string Name(string path)
    {
        var folder = new DirectoryInfo(Path.GetFullPath(path));
        return folder is { Name: "runs", Parent: { } parent } ? parent.Name : folder.Name;
    }

    private static AsrException NoCurves(string path) => new($"{path}: its event files have no curves of a training run yet");
}
