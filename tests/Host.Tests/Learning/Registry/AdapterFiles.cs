using System.Text.Json.Nodes;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Registry;

namespace AsrPlatform.Host.Tests.Learning.Registry;

/// <summary>PEFT folders as far as the registry looks into them.</summary>
internal static class AdapterFiles
{
    /// <summary>Stands for the hash of the base model's weights.</summary>
    public static readonly string BaseHash = new('b', 64);

    /// <summary>Writes a folder whose weights hold a text of their own.</summary>
    public static string Write(string parent, string content)
    {
        var folder = Path.Combine(parent, $"peft-{Guid.NewGuid():n}");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), """{"peft_type": "LORA"}""");
        File.WriteAllText(Path.Combine(folder, "adapter_model.safetensors"), content);
        File.WriteAllText(Path.Combine(folder, "optimizer.bin"), "what a trainer leaves beside it");
        return folder;
    }

    public static NewAdapter New(
        string? parent = null, GateVerdict verdict = GateVerdict.Promoted, string? baseHash = null, double after = 0.1, params long[] corrections) => new()
        {
            Parent = parent,
            Base = baseHash ?? BaseHash,
            Corrections = corrections,
            Dataset = "d1",
            Config = new JsonObject { ["lora"] = new JsonObject { ["r"] = 8 }, ["learningRate"] = 1e-3, ["note"] = "größer" },
            Metrics = new JsonObject { ["heldOutWerBefore"] = 0.4, ["heldOutWerAfter"] = after, ["folds"] = new JsonArray(0.1, 0.2) },
            Verdict = verdict,
            Reason = "better",
        };

    /// <summary>Adds one made of nothing.</summary>
    public static async Task<string> AddAsync(AdapterRegistry registry, string scratch, string content, NewAdapter? adapter = null) =>
        (await registry.AddAsync(Write(scratch, content), adapter ?? New(), TestContext.Current.CancellationToken)).Id;
}
