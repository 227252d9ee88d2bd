using System.CommandLine;
using System.Text.RegularExpressions;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Serving;
using AsrPlatform.Onnx.Export;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr export onnx</c>: a checkpoint as ONNX graphs.</summary>
internal static class ExportOnnx
{
    // A pattern is matched against names of some fifty characters.
    private static readonly TimeSpan PatternTimeout = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        var model = new ModelOptions();
        var output = new Option<string>("--output-dir") { Description = "the folder to write; new or empty", HelpName = "DIR", Required = true };
        var precision = new Option<string>("--precision") { Description = "fp32, fp16 (inputs and outputs stay fp32) or int8", HelpName = "TYPE", DefaultValueFactory = _ => "fp32" };
        precision.AcceptOnlyFromAmong("fp32", "fp16", "int8");
        var layout = new Option<string>("--layout")
        {
            Description = "optimum: plain operators, for Optimum, transformers.js and others; fast: this program's own graphs",
            HelpName = "NAME",
            DefaultValueFactory = _ => "optimum",
        };
        layout.AcceptOnlyFromAmong("optimum", "fast");
        var float32 = Pattern("--fp32-layers", "with int8: the layers that stay in fp32, by a pattern of their names, such as 'fc2$'");
        var rows = Pattern("--row-scaled-layers", "with int8 and the fast layout: the layers whose input rows have a scale each, by a pattern of their names");
        var unadaptable = new Option<bool>("--no-adapters")
        {
            Description = "with the fast layout: graphs without inputs for adapters, a little faster; one that is merged by --adapter stays",
        };
        var quiet = new Option<bool>("--quiet") { Description = "show no progress" };
        var checking = new ExportChecking();
        var uncompared = new Option<bool>("--no-check") { Description = "compares nothing" };
        var keep = new Option<bool>("--keep-failed") { Description = $"writes the folder even if the export is not what the model is; {ExportChecking.FileName} in it says so" };

        var command = new Command("onnx", "Writes a checkpoint as ONNX graphs, with an adapter merged where one is given.");
        command.Options.Add(model.Model);
        command.Options.Add(output);
        command.Options.Add(precision);
        command.Options.Add(layout);
        command.Options.Add(model.Adapter);
        command.Options.Add(float32);
        command.Options.Add(rows);
        command.Options.Add(unadaptable);
        checking.AddTo(command);
        command.Options.Add(uncompared);
        command.Options.Add(keep);
        command.Options.Add(model.DataDirectory);
        command.Options.Add(model.Plugins.Directory);
        command.Options.Add(quiet);
        command.Validators.Add(result =>
        {
            // Whether they are given, not their values: a pattern that is none has its own error.
            var (hasFloat32, hasRows) = (result.GetResult(float32) is { Implicit: false }, result.GetResult(rows) is { Implicit: false });
            if ((hasFloat32 || hasRows) && result.GetValue(precision) != "int8")
            {
                result.AddError("--fp32-layers and --row-scaled-layers say what int8 does with layers: give --precision int8 with them.");
            }
            else if (hasRows && result.GetValue(layout) != "fast")
            {
                result.AddError("--row-scaled-layers needs --layout fast: plain operators take one scale for all rows.");
            }

            if (result.GetValue(unadaptable) && result.GetValue(layout) != "fast")
            {
                result.AddError("--no-adapters needs --layout fast: Optimum's graphs never take adapters.");
            }
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var source = model.ReadDirectory(parsed);
            var target = parsed.GetValue(output)!;
            var options = new OnnxExportOptions
            {
                Layout = parsed.GetValue(layout) == "fast" ? OnnxLayout.Fast : OnnxLayout.Optimum,
                Precision = parsed.GetValue(precision) switch
                {
                    "fp16" => OnnxPrecision.Float16,
                    "int8" => OnnxPrecision.Int8,
                    _ => OnnxPrecision.Float32,
                },
                Float32Layers = parsed.GetValue(float32),
                RowScaledLayers = parsed.GetValue(rows),
                TakesAdapters = !parsed.GetValue(unadaptable),
            };
            var adapter = model.ReadAdapter(parsed);
            var result = await DedicatedThread.RunAsync(() =>
            {
                ExportCheckResult? found = null;
                AtomicFolder.Write(target, aside =>
                {
                    AdapterMerging.RunAsync(model, parsed, source, adapter, merger => ProgressBar.Run("Exporting", parsed.GetValue(quiet), report =>
                    {
                        OnnxExport.Write(source, aside, options with { Merger = merger, Progress = report }, cancellationToken);
                        return 0;
                    })).GetAwaiter().GetResult();
                    if (!parsed.GetValue(uncompared))
                    {
                        found = Check(aside);
                        ExportChecking.Write(Path.Combine(aside, ExportChecking.FileName), found);
                        if (found.Faults.Count > 0 && !parsed.GetValue(keep))
                        {
                            throw Failed(found, "nothing was written; --keep-failed keeps it");
                        }
                    }
                });
                return found;

                ExportCheckResult Check(string aside)
                {
                    var catalog = model.Plugins.Load(parsed);
                    try
                    {
                        var request = new ModelRequest(null, new ModelLoadOptions { ModelDirectory = source }, adapter);
                        return ProgressBar.Run("Comparing", parsed.GetValue(quiet), report =>
                            checking.Run(catalog, parsed, request, aside, parsed.GetValue(precision)!, share => report(share, ""), cancellationToken));
                    }
                    finally
                    {
                        catalog.DisposeAsync().AsTask().GetAwaiter().GetResult();
                    }
                }
            });
            if (result?.Faults.Count > 0)
            {
                throw Failed(result, $"{target} was kept");
            }

            if (result is not null)
            {
                await Console.Error.WriteLineAsync(result.Summary);
            }

            Console.WriteLine(target);
            return 0;
        });
        return command;
    }

    private static AsrException Failed(ExportCheckResult result, string consequence) =>
        new($"the export is not what the model is: {string.Join("; ", result.Faults)} ({result.Summary}): {consequence}");

    private static Option<Regex?> Pattern(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "REGEX",
        CustomParser = result =>
        {
            try
            {
                return new Regex(result.Tokens[0].Value, RegexOptions.CultureInvariant, PatternTimeout);
            }
            catch (ArgumentException error)
            {
                result.AddError($"{name}: {error.Message}");
                return null;
            }
        },
    };
}
