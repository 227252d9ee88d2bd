using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using static AsrPlatform.LoraAdapter.Tests.TrainerFixtures;

namespace AsrPlatform.LoraAdapter.Tests;

/// <summary>Merging into files gives a model without adapters that computes what PEFT's merged model computes.</summary>
public sealed class CheckpointMergerTests
{
    public static TheoryData<string> Cases => TrainerFixtures.Cases;

    [Theory]
    [MemberData(nameof(Cases))]
    public void Merge_OfAPeftCase_GivesPeftsLogits(string name)
    {
        using var folder = new TemporaryFolder().CopyOf(Path("init"));
        var atStart = Tensor.TotalCount;
        var warnings = MergeInto(folder, Path($"peft/{name}"));
        Assert.Equal(atStart, Tensor.TotalCount);
        Assert.Equal(name == "embed" ? 1 : 0, warnings.Count);
        using var model = Model(folder.Root);
        AssertClose(Expected(name == "embed_tied" ? "peft/embed_tied/logits.npy" : $"peft/{name}/merged_logits.npy"), Logits(model));
    }

    [Fact]
    public void OpenMerger_OfAnAdapterOfAnotherModel_NamesTheTensor()
    {
        var error = Assert.Throws<AsrException>(() => Provider.OpenMerger(
            Path("peft/rslora"),
            [new CheckpointTensor("model.encoder.layers.0.self_attn.q_proj.weight", [64, 64])]));
        Assert.Contains("base_model.model.model.encoder.layers.0.self_attn.q_proj.lora_A.weight has the shape [4, 32]; [4, 64]", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Merge_ThatOverflows_IsRefused()
    {
        using var weights = CheckpointWeights.Open(Path("init"));
        using var merger = Provider.OpenMerger(Path("peft/rslora"), Tensors(weights));
        var tensor = merger.Changed.First();
        var values = weights[tensor].ToSingle();
        values[5] = float.PositiveInfinity;
        Assert.Contains(tensor, Assert.Throws<AsrException>(() => merger.Merge(tensor, values)).Message, StringComparison.Ordinal);
    }

    private static IReadOnlyList<string> MergeInto(TemporaryFolder folder, string adapter)
    {
        var merged = new List<SafetensorsEntry>();
        IReadOnlyList<string> warnings;
        using (var weights = CheckpointWeights.Open(folder.Root))
        using (var merger = Provider.OpenMerger(adapter, Tensors(weights)))
        {
            warnings = merger.Warnings;
            foreach (var tensor in weights.Tensors.Values)
            {
                var values = tensor.ToSingle();
                if (merger.Changed.Contains(tensor.Name))
                {
                    merger.Merge(tensor.Name, values);
                }

                merged.Add(SafetensorsEntry.FromSingle(tensor.Name, tensor.Shape.ToArray(), values));
            }

            Assert.All(merger.Changed, name => Assert.True(weights.Tensors.ContainsKey(name)));
        }

        SafetensorsWriter.Write(folder.File(CheckpointWeights.SingleFile), merged);
        return warnings;
    }

    private static CheckpointTensor[] Tensors(CheckpointWeights weights) =>
        [.. weights.Tensors.Values.Select(tensor => new CheckpointTensor(tensor.Name, tensor.Shape.ToArray()))];
}
