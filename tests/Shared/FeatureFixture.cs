using System.Text.Json.Nodes;

namespace AsrPlatform.Tests;

/// <summary>Hugging Face's 30-second features of a fixture's clip.</summary>
internal static class FeatureFixture
{
    /// <summary>Reads <c>[80, 3000]</c>: the fixture keeps the frames of the audio, the rest is one value.</summary>
    public static float[] Read(string signal)
    {
        var known = NpyArray.Read(Fixtures.Path($"features/{signal}_80.npy"));
        var entry = JsonNode.Parse(File.ReadAllText(Fixtures.Path("features/table.json")))!.AsArray()
            .Single(row => row!["signal"]!.GetValue<string>() == signal && row["mels"]!.GetValue<int>() == 80)!;
        var values = known.ToSingle();
        var features = new float[80 * 3000];
        Array.Fill(features, entry["padding_value"]!.GetValue<float>());
        for (var row = 0; row < 80; row++)
        {
            values.AsSpan(row * known.Shape[1], known.Shape[1]).CopyTo(features.AsSpan(row * 3000));
        }

        return features;
    }
}
