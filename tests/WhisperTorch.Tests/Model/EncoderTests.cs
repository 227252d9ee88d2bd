using AsrPlatform.Tests;
using AsrPlatform.WhisperTorch.Model;
using static AsrPlatform.WhisperTorch.Tests.TestModels;

namespace AsrPlatform.WhisperTorch.Tests.Model;

public sealed class EncoderTests
{
    [Fact]
    public void Encode_MicroOnJfk_MatchesHuggingFaceAtEveryFrame()
    {
        using var model = Load("micro");
        using var states = model.Encode(FeatureFixture.Read("jfk"), 1, 3000);
        AssertClose(NpyArray.Read(Fixtures.Path("model/jfk_encoder.npy")).Values, Copy(states, model), 1e-4);
    }

    [Fact]
    public void Layers_MicroOnJfk_MatchHuggingFace()
    {
        using var model = Load("micro");
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var states = model.Encoder.Embed(tensor(FeatureFixture.Read("jfk"), [1, 80, 3000]), ForwardMode.Inference);
        AssertClose(NpyArray.Read(Fixtures.Path("model/jfk_encoder_input.npy")).Values, EveryFiftieth(states), 5e-5);
        states = model.Encoder.Layers[0].Forward(states, 1, ForwardMode.Inference);
        AssertClose(NpyArray.Read(Fixtures.Path("model/jfk_encoder_layer1.npy")).Values, EveryFiftieth(states), 1e-4);

        static float[] EveryFiftieth(Tensor states)
        {
            var values = new float[30 * 64];
            HostMemory.Copy(states.view(30, 50, 64).select(1, 0), values);
            return values;
        }
    }

    [Theory]
    [InlineData("fp32")]
    [InlineData("fp16_sharded")]
    [InlineData("bf16")]
    public void Encode_RandomCheckpoint_MatchesHuggingFace(string name)
    {
        using var model = Load($"checkpoints/{name}");
        var (features, batch, frames) = SmallFeatures();
        using var states = model.Encode(features, batch, frames);
        AssertClose(NpyArray.Read(Fixtures.Path($"checkpoints/{name}_encoder.npy")).Values, Copy(states, model), 1e-4);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(34)]
    [InlineData(118)]
    public void Encode_ShorterContext_EqualsTheReferenceModel(int frames)
    {
        using var model = Load("checkpoints/fp32");
        using var reference = ReferenceModel.Load(Fixtures.Path("checkpoints/fp32"));
        var features = SmallFeatures().Values.AsSpan(0, 80 * frames);
        using var states = model.Encode(features, 1, frames);
        using var expected = reference.Encode(features, 1, frames);
        Assert.Equal((1, frames / 2), (states.Batch, states.Positions));
        AssertClose(Copy(expected, reference), Copy(states, model), 2e-5);
    }

    [Fact]
    public void Encode_MoreQueriesThanABlock_EqualsTheReferenceModel()
    {
        // 1,500 positions are three blocks of queries, the last one shorter; two rows show that they do not mix.
        using var model = Load("micro");
        var jfk = FeatureFixture.Read("jfk");
        var fox = FeatureFixture.Read("fox");
        using var both = model.Encode([.. fox, .. jfk], 2, 3000);
        var values = Copy(both, model);
        AssertClose(NpyArray.Read(Fixtures.Path("model/jfk_encoder.npy")).Values, values.AsSpan(values.Length / 2), 1e-4);
        using var alone = model.Encode(fox, 1, 3000);
        AssertClose(Copy(alone, model), values.AsSpan(0, values.Length / 2), 2e-6);
    }

    [Fact]
    public void Encode_ForGradients_EqualsInference()
    {
        using var model = Load("checkpoints/fp32");
        var (features, batch, frames) = SmallFeatures();
        using var states = model.Encode(features, batch, frames);
        using var scope = NewDisposeScope();
        var input = tensor(features, [batch, 80, frames], requires_grad: true);
        var output = model.Encoder.Forward(input, new ForwardMode(InPlace: false));
        var values = new float[output.numel()];
        HostMemory.Copy(output.detach(), values);
        AssertClose(Copy(states, model), values, 1e-5);
        output.sum().backward();
        Assert.True(input.grad!.abs().sum().item<float>() > 0);
    }

    [Fact]
    public void Encode_WrongShape_IsRefusedBeforeNativeCode()
    {
        using var model = Load("checkpoints/fp32");
        var features = new float[80 * 122];
        Assert.Throws<ArgumentException>("batch", () => model.Encode(features, 0, 122));
        Assert.Throws<ArgumentException>("frames", () => model.Encode(features, 1, 122));
        Assert.Throws<ArgumentException>("frames", () => model.Encode(features.AsSpan(0, 80), 1, 1));
        Assert.Throws<ArgumentException>("frames", () => model.Encode([], 1, 0));
        Assert.Throws<ArgumentException>("features", () => model.Encode(features, 1, 120));
        Assert.Throws<ArgumentException>("features", () => model.Encode(features, int.MaxValue, 120));
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.Encode(features.AsSpan(0, 80 * 2), 1, 2));
    }
}
