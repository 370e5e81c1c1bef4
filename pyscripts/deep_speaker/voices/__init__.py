"""From a recording to an answer: the same voice, who, and how sure.

Takes recordings (files, or samples with their rate) and a model (a folder, an experiment, or an
ONNX file), and gives embeddings, scores and decisions. Start with `voice_model.VoiceModel`, which
`deep_speaker.load` returns; `recordings` refuses what holds no speech, `speaker_store` keeps who is
enrolled, `identification` names them. `onnx_embedder` is a model's part without torch.
"""
