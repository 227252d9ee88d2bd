using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.LoraAdapter.Configuration;
using static AsrPlatform.LoraAdapter.Tests.TrainerFixtures;

namespace AsrPlatform.LoraAdapter.Tests;

public sealed class ConfigurationTests
{
    /// <summary>What cannot be done is refused with the key and the reason, not ignored.</summary>
    [Theory]
    [InlineData("""{}""", "target_modules is missing")]
    [InlineData("""{"target_modules": []}""", "target_modules is missing")]
    [InlineData("""[]""", "no JSON object")]
    [InlineData("""{"r": """, "no valid JSON")]
    [InlineData("""{"target_modules": ["q_proj"], "peft_type": "LOHA"}""", "peft_type is \"LOHA\"")]
    [InlineData("""{"target_modules": ["q_proj"], "r": 0}""", "r is 0")]
    [InlineData("""{"target_modules": ["q_proj"], "r": 2.5}""", "r is 2.5")]
    [InlineData("""{"target_modules": ["q_proj"], "lora_alpha": "x"}""", "lora_alpha is")]
    [InlineData("""{"target_modules": ["q_proj"], "lora_dropout": 1}""", "lora_dropout is 1")]
    [InlineData("""{"target_modules": ["q_proj"], "bias": "some"}""", "bias is \"some\"")]
    [InlineData("""{"target_modules": ["q_proj"], "rank_pattern": {"fc1": 0}}""", "rank_pattern.fc1 is 0")]
    [InlineData("""{"target_modules": ["q_proj"], "rank_pattern": [1]}""", "rank_pattern is [1]")]
    [InlineData("""{"target_modules": ["q_proj"], "use_dora": 1}""", "use_dora is 1")]
    [InlineData("""{"target_modules": "q_proj(", "r": 2}""", "target_modules: q_proj( is no regular expression")]
    [InlineData("""{"target_modules": ".*q_proj", "layers_to_transform": [0]}""", "only with a list of target_modules")]
    [InlineData("""{"target_modules": ["q_proj"], "layers_pattern": "layers"}""", "layers_pattern without layers_to_transform")]
    [InlineData("""{"target_modules": ["q_proj"], "lora_bias": true, "use_dora": true}""", "lora_bias works neither")]
    [InlineData("""{"target_modules": ["q_proj"], "lora_bias": true, "init_lora_weights": "gaussian"}""", "lora_bias works neither")]
    [InlineData("""{"target_modules": ["q_proj"], "bias": "all", "modules_to_save": ["fc1"]}""", "bias \"all\" with modules_to_save")]
    [InlineData("""{"target_modules": ["q_proj"], "init_lora_weights": "pissa"}""", "changes the base model's weights")]
    [InlineData("""{"target_modules": ["q_proj"], "init_lora_weights": "eva"}""", "true, false or gaussian for a fresh adapter")]
    [InlineData("""{"target_modules": ["q_proj"], "use_qalora": true}""", "use_qalora is true")]
    [InlineData("""{"target_modules": ["q_proj"], "layer_replication": [[0, 4]]}""", "layer_replication is [[0,4]]")]
    [InlineData("""{"target_modules": ["q_proj"], "target_parameters": ["x"]}""", "target_parameters is")]
    [InlineData("""{"target_modules": ["q_proj"], "trainable_token_indices": [1]}""", "trainable_token_indices is")]
    [InlineData("""{"target_modules": ["nothing"]}""", "means no module of the model")]
    [InlineData("""{"target_modules": ["embed_positions"]}""", "means no module of the model")]
    [InlineData("""{"target_modules": ["q_proj"], "exclude_modules": ["q_proj"]}""", "means no module of the model")]
    [InlineData("""{"target_modules": ["q_proj", "layer_norm"]}""", "a layer normalization")]
    [InlineData("""{"target_modules": ["q_proj"], "modules_to_save": ["classifier"]}""", "modules_to_save names classifier")]
    [InlineData("""{"target_modules": ["embed_tokens"], "use_dora": true}""", "use_dora does not work on the embedding")]
    [InlineData("""{"target_modules": ["embed_tokens"], "lora_bias": true}""", "lora_bias does not work on the embedding")]
    [InlineData("""{"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"], "ensure_weight_tying": true}""", "ensure_weight_tying with")]
    public void Create_WithAConfigurationThatCannotBeUsed_SaysWhy(string json, string expected)
    {
        using var model = Model();
        var before = Tensor.TotalCount;
        var error = Assert.Throws<AsrException>(() => Provider.Create(model, "wanted", json, 0));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.StartsWith("wanted", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, Tensor.TotalCount);
    }

    /// <summary>PEFT's rules for which modules are meant.</summary>
    [Theory]
    [InlineData("""{"target_modules": ["q_proj"]}""", "model.encoder.layers.1.self_attn.q_proj", true)]
    [InlineData("""{"target_modules": ["self_attn.q_proj"]}""", "model.decoder.layers.1.encoder_attn.q_proj", false)]
    [InlineData("""{"target_modules": ["proj"]}""", "model.encoder.layers.1.self_attn.q_proj", false)]
    [InlineData("""{"target_modules": ["proj_out"]}""", "proj_out", true)]
    [InlineData("""{"target_modules": "q_proj"}""", "model.encoder.layers.1.self_attn.q_proj", false)]
    [InlineData("""{"target_modules": ".*q_proj"}""", "model.encoder.layers.1.self_attn.q_proj", true)]
    [InlineData("""{"target_modules": ".*encoder.*q|.*q_proj"}""", "model.encoder.layers.1.self_attn.q_proj", true)]
    [InlineData("""{"target_modules": "(?P<side>.*encoder).*q_proj"}""", "model.encoder.layers.1.self_attn.q_proj", true)]
    [InlineData("""{"target_modules": ["q_proj"], "exclude_modules": ["self_attn.q_proj"]}""", "model.encoder.layers.1.self_attn.q_proj", false)]
    [InlineData("""{"target_modules": ["q_proj"], "exclude_modules": "encoder"}""", "model.encoder.layers.1.self_attn.q_proj", true)]
    [InlineData("""{"target_modules": ["q_proj"], "exclude_modules": ".*encoder.*"}""", "model.encoder.layers.1.self_attn.q_proj", false)]
    [InlineData("""{"target_modules": ["q_proj"], "layers_to_transform": [1]}""", "model.encoder.layers.1.self_attn.q_proj", true)]
    [InlineData("""{"target_modules": ["q_proj"], "layers_to_transform": 0}""", "model.encoder.layers.1.self_attn.q_proj", false)]
    [InlineData("""{"target_modules": ["q_proj"], "layers_to_transform": [1], "layers_pattern": "blocks"}""", "model.encoder.layers.1.self_attn.q_proj", false)]
    [InlineData("""{"target_modules": ["conv1"], "layers_to_transform": [1]}""", "model.encoder.conv1", false)]
    [InlineData("""{"target_modules": ["fc1"], "modules_to_save": ["fc1"]}""", "model.encoder.layers.1.fc1", false)]
    [InlineData("""{"target_modules": ["fc1"], "modules_to_save": ["encoder"]}""", "model.encoder.layers.1.fc1", false)]
    public void IsTarget_OfAModule_FollowsPeft(string json, string module, bool expected) =>
        Assert.Equal(expected, Matcher(json).IsTarget(new ModuleInfo(module, AdaptableLayerKind.Linear, IsOutput: module == "proj_out")));

    [Fact]
    public void Rank_OfAModuleThatSeveralPatternsMatch_IsTheFirsts()
    {
        var matcher = Matcher("""{"target_modules": ["q_proj"], "r": 7, "lora_alpha": 14, "rank_pattern": {"v_proj": 5, "self_attn.v_proj": 3}, "alpha_pattern": {"layers\\.1\\.fc.": 2}}""");
        Assert.Equal(5, matcher.Rank("model.encoder.layers.0.self_attn.v_proj"));
        Assert.Equal(7, matcher.Rank("model.encoder.layers.0.self_attn.kv_proj"));
        Assert.Equal(2, matcher.Scale("model.encoder.layers.0.fc1"));
        Assert.Equal(2 / 7.0, matcher.Scale("model.encoder.layers.1.fc1"));
        Assert.Equal(2 / 7.0, matcher.Scale("model.encoder.layers.1.fc2"));
    }

    [Fact]
    public void IsTarget_WithAPatternThatRunsAway_EndsWithAnError()
    {
        var matcher = Matcher("""{"target_modules": "(([a-z]*)*)*!"}""");
        Assert.Contains(
            "takes too long",
            Assert.Throws<AsrException>(() => matcher.IsTarget(new ModuleInfo(new string('a', 60), AdaptableLayerKind.Linear, IsOutput: false))).Message,
            StringComparison.Ordinal);
    }

    private static ModuleMatcher Matcher(string json) => new(LoraConfig.Parse("test", json));
}
